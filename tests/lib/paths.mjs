// Where things are. Every path of the suites comes from here, so that a moved folder is one edit.

import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const TESTS = resolve(dirname(fileURLToPath(import.meta.url)), '..')
export const ROOT = resolve(TESTS, '..')
export const TARGET = process.env.CARGO_TARGET_DIR ? resolve(process.env.CARGO_TARGET_DIR) : join(ROOT, 'target')
/** Unpacked packages, bundles and browser profiles of the running suite. */
export const WORK = join(TARGET, 'tests')
/** Console logs and pictures of failed cases. */
export const ARTEFACTS = join(TARGET, 'e2e')

/** The packed package; `cargo xtask pack` makes it. */
export const TARBALL = process.env.VIVIM_TARBALL ?? join(TARGET, 'npm', 'vivim-wasm.tgz')
/** The built demo page; `cargo xtask build` makes it. */
export const PAGE_DIST = process.env.VIVIM_PAGE ?? join(ROOT, 'www', 'dist')

/**
 * The relay to test. A release build is preferred because the benches measure it; a debug build serves the
 * functional suites.
 * @returns {string}
 */
export function relayBinary() {
  const named = process.env.VIVIM_RELAY
  if (named) return needed(named, 'VIVIM_RELAY names a file that does not exist')
  const built = ['release', 'debug'].map((profile) => join(TARGET, profile, 'vivim-relay')).find(existsSync)
  return needed(built ?? join(TARGET, 'release', 'vivim-relay'), 'build it with: cargo build --release -p vivim-relay')
}

/** @returns {string} */
export function chromiumBinary() {
  const found = [process.env.VIVIM_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    .filter((path) => path !== undefined)
    .find(existsSync)
  return needed(found ?? '/usr/bin/chromium', 'install Chromium (Debian: apt install chromium) or set VIVIM_CHROMIUM')
}

/** @returns {string} */
export function firefoxBinary() {
  const found = [process.env.VIVIM_FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox']
    .filter((path) => path !== undefined)
    .find(existsSync)
  return needed(found ?? '/usr/bin/firefox-esr', 'install Firefox (Debian: apt install firefox-esr) or set VIVIM_FIREFOX')
}

/** @returns {string} */
export function geckodriverBinary() {
  const home = process.env.CARGO_HOME ?? join(process.env.HOME ?? '', '.cargo')
  const found = [process.env.VIVIM_GECKODRIVER, join(home, 'bin', 'geckodriver'), '/usr/bin/geckodriver']
    .filter((path) => path !== undefined)
    .find(existsSync)
  return needed(found ?? join(home, 'bin', 'geckodriver'), 'install it with: cargo install --locked geckodriver')
}

/**
 * A missing prerequisite is a failure with a remedy, never a skipped case.
 * @param {string} path
 * @param {string} remedy
 * @returns {string}
 */
export function needed(path, remedy) {
  if (!existsSync(path)) throw new Error(`${path} is missing: ${remedy}`)
  return path
}

/**
 * @param {...string} parts below the suites' work folder
 * @returns {string} an existing directory
 */
export function workDir(...parts) {
  const dir = join(WORK, ...parts)
  mkdirSync(dir, { recursive: true })
  return dir
}
