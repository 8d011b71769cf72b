// The test pages: bundled with esbuild, and served with the unpacked package beside them.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { TARBALL, TESTS, needed, workDir } from './paths.mjs'
import { serve } from './static-server.mjs'

/** The modules that the package leaves to the application, built so that they share one lib0. */
const VENDOR = ['yjs', 'y-protocols/awareness', 'y-protocols/sync']

/** @typedef {Record<string, { type: string, body: string | Uint8Array }>} Answers what a server answers, by path */

/**
 * Bundles one page script in memory: suites run side by side and share no output files.
 * @param {string} entry below tests/
 * @param {import('esbuild').BuildOptions} [options]
 * @returns {Promise<Answers>} the bundle at `/pages/<name>.js`
 */
export async function bundle(entry, options = {}) {
  const name = basename(entry).replace(/\.m?js$/, '')
  return answers('/pages/', await build({ ...SHARED, entryPoints: { [name]: join(TESTS, entry) }, outdir: '/', ...options }))
}

/**
 * Bundles one page script with the package inside, as an application's build does: the package's wasm stays a file
 * where `new URL(…, import.meta.url)` finds it from `/pages/`.
 * @param {string} entry below tests/
 * @param {import('esbuild').BuildOptions} [options]
 * @returns {Promise<Answers>}
 */
export async function bundleWithPackage(entry, options = {}) {
  const { dir, manifest } = unpackedPackage()
  const alias = {
    'vivim-wasm/yjs': join(dir, browserEntry(manifest, './yjs')),
    'vivim-wasm': join(dir, browserEntry(manifest, '.')),
  }
  const made = await bundle(entry, { alias, nodePaths: [join(TESTS, 'node_modules')], ...options })
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.wasm')) continue
    // The package's modules lie in `dist`, its wasm beside that folder.
    made[`/${path}`] = { type: 'application/wasm', body: readFileSync(join(dir, path)) }
  }
  return made
}

/**
 * Bundles yjs and its protocols as separate modules over common chunks.
 * @returns {Promise<Answers>}
 */
export async function vendor() {
  const entryPoints = Object.fromEntries(VENDOR.map((name) => [name.replace('/', '-'), name]))
  return answers('/vendor/', await build({ ...SHARED, entryPoints, outdir: '/', splitting: true }))
}

/** @type {import('esbuild').BuildOptions & { write: false }} */
const SHARED = {
  absWorkingDir: TESTS,
  bundle: true,
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  format: 'esm',
  logLevel: 'error',
  minify: true,
  platform: 'browser',
  target: 'es2022',
  write: false,
}

/**
 * @param {string} prefix
 * @param {{ outputFiles?: import('esbuild').OutputFile[] }} built
 * @returns {Answers}
 */
function answers(prefix, { outputFiles = [] }) {
  return Object.fromEntries(
    outputFiles.map(({ path, text }) => [prefix + basename(path), { type: 'text/javascript', body: text }]),
  )
}

/**
 * Unpacks the tarball that `cargo xtask pack` made, once per tarball.
 * @returns {{ dir: string, manifest: any }}
 */
export function unpackedPackage() {
  needed(TARBALL, 'make it with: cargo xtask pack')
  const dir = join(workDir('packages'), `${Math.round(statSync(TARBALL).mtimeMs)}`)
  if (!existsSync(dir)) {
    const fresh = mkdtempSync(`${dir}-`)
    execFileSync('tar', ['-xzf', TARBALL, '-C', fresh, '--strip-components=1'])
    try {
      renameSync(fresh, dir)
    } catch {
      // Another suite unpacked the same tarball first.
      rmSync(fresh, { recursive: true })
    }
  }
  return { dir, manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) }
}

/**
 * The file a browser gets for an entry of the package's `exports`.
 * @param {any} manifest
 * @param {string} entry
 * @returns {string} without the leading `./`
 */
export function browserEntry(manifest, entry) {
  /** @param {any} value @returns {string | undefined} */
  const pick = (value) => {
    if (typeof value === 'string') return value
    for (const condition of ['browser', 'import', 'default']) {
      const found = value?.[condition] && pick(value[condition])
      if (found) return found
    }
    return undefined
  }
  const found = pick(manifest.exports[entry])
  if (!found) throw new Error(`the package exports no ${entry} for browsers`)
  return found.replace(/^\.\//, '')
}

/**
 * @param {string} script inline module of the page
 * @param {{ importMap?: Record<string, string>, body?: string }} [options]
 */
export function html(script, { importMap, body = '' } = {}) {
  const map = importMap ? `<script type="importmap">${JSON.stringify({ imports: importMap })}</script>` : ''
  return {
    type: 'text/html; charset=utf-8',
    body: `<!doctype html><meta charset="utf-8"><title>test page</title><link rel="icon" href="data:,">${map}
<body>${body}<script type="module">${script}</script>`,
  }
}

/**
 * The import map under which page scripts use the package as an application would.
 * @param {any} manifest
 * @returns {Record<string, string>}
 */
export function packageImports(manifest) {
  return {
    'vivim-wasm': `/package/${browserEntry(manifest, '.')}`,
    'vivim-wasm/yjs': `/package/${browserEntry(manifest, './yjs')}`,
    ...Object.fromEntries(VENDOR.map((name) => [name, `/vendor/${name.replace('/', '-')}.js`])),
  }
}

/**
 * Serves a page of js-libp2p as `window.peer`.
 * @param {string} entry
 * @param {string} name the class that the entry exports
 */
async function servePeer(entry, name) {
  const script = `import { ${name} } from '/pages/${basename(entry, '.mjs')}.js'; window.peer = new ${name}()`
  return serve({ answers: { ...(await bundle(entry)), '/': html(script) } })
}

/** Serves the js-libp2p page. */
export const serveJsLibp2p = () => servePeer('pages/js-libp2p.mjs', 'JsLibp2p')

/** Serves the page of a peer that breaks the rules. */
export const serveHostile = () => servePeer('pages/hostile.mjs', 'Hostile')

/**
 * Serves the page that drives the package's API; the browser resolves the package by an import map.
 * @param {{ csp?: string, host?: string }} [options]
 */
export async function serveVivim(options = {}) {
  const { dir, manifest } = unpackedPackage()
  const importMap = packageImports(manifest)
  const script = `import { Vivim } from '/pages/vivim.js'; window.peer = new Vivim()`
  return serve({
    ...options,
    folders: { '/package/': dir },
    answers: {
      ...(await bundle('pages/vivim.mjs', { external: Object.keys(importMap) })),
      ...(await vendor()),
      '/': html(script, { importMap }),
    },
  })
}
