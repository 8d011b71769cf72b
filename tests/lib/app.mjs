// An application folder with the package installed as npm would, for Node and for bundlers.

import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { unpackedPackage } from './build.mjs'
import { TESTS, workDir } from './paths.mjs'

/** What an application installs beside the package to use `vivim-wasm/yjs`. */
const PEERS = ['yjs', 'y-protocols', 'lib0', 'isomorphic.js']

/**
 * @param {string} name
 * @param {Record<string, string>} files
 * @returns {{ dir: string, close: () => Promise<void> }}
 */
export function makeApp(name, files) {
  const dir = mkdtempSync(join(workDir('apps'), `${name}-`))
  const modules = join(dir, 'node_modules')
  mkdirSync(modules)
  cpSync(unpackedPackage().dir, join(modules, 'vivim-wasm'), { recursive: true })
  for (const peer of PEERS) symlinkSync(join(TESTS, 'node_modules', peer), join(modules, peer))
  const all = { 'package.json': '{ "name": "app", "private": true, "type": "module" }', ...files }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return { dir, close: async () => rmSync(dir, { recursive: true, force: true }) }
}
