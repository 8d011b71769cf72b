// The test pages: bundled with esbuild, and served with the unpacked package beside them.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { TARBALL, TESTS, needed, workDir } from './paths.mjs'
import { serve } from './static-server.mjs'

/** The modules that the package leaves to the application, built so that they share one lib0. */
const VENDOR = {
  yjs: 'yjs',
  'y-protocols/awareness': 'y-protocols/awareness',
  'y-protocols/sync': 'y-protocols/sync',
}

/**
 * Bundles one page script.
 * @param {string} entry below tests/
 * @param {{ external?: string[], minify?: boolean, name?: string }} [options]
 * @returns {Promise<string>} the path of the bundle
 */
export async function bundle(entry, { external = [], minify = true, name } = {}) {
  const outfile = join(workDir('pages'), name ?? entry.replace(/^.*\//, '').replace(/\.mjs$/, '.js'))
  await build({
    entryPoints: [join(TESTS, entry)],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    minify,
    sourcemap: false,
    external,
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    logLevel: 'error',
  })
  return outfile
}

/** Bundles yjs and its protocols as separate modules over common chunks. */
export async function vendor() {
  const outdir = workDir('vendor')
  await build({
    entryPoints: Object.fromEntries(Object.keys(VENDOR).map((name) => [name.replace('/', '-'), name])),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    minify: true,
    absWorkingDir: TESTS,
    logLevel: 'error',
  })
  return outdir
}

/**
 * Unpacks the tarball that `cargo xtask pack` made, once per tarball.
 * @returns {{ dir: string, manifest: any }}
 */
export function unpackedPackage() {
  needed(TARBALL, 'make it with: cargo xtask pack')
  const dir = workDir('package')
  const stamp = join(dir, '.from')
  const from = `${TARBALL} ${statSync(TARBALL).mtimeMs}`
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== from) {
    rmSync(dir, { recursive: true, force: true })
    workDir('package')
    execFileSync('tar', ['-xzf', TARBALL, '-C', dir, '--strip-components=1'])
    writeFileSync(stamp, from)
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
    ...Object.fromEntries(Object.keys(VENDOR).map((name) => [name, `/vendor/${name.replace('/', '-')}.js`])),
  }
}

/**
 * Serves the js-libp2p page.
 */
export async function serveJsLibp2p() {
  await bundle('pages/js-libp2p.mjs')
  return serve({
    folders: { '/pages/': workDir('pages') },
    answers: { '/': html(`import { JsLibp2p } from '/pages/js-libp2p.js'; window.peer = new JsLibp2p()`) },
  })
}

/**
 * Serves the page that drives the package's API.
 * @param {{ csp?: string, host?: string }} [options]
 */
export async function serveVivim(options = {}) {
  const { dir, manifest } = unpackedPackage()
  const imports = packageImports(manifest)
  await Promise.all([bundle('pages/vivim.mjs', { external: Object.keys(imports) }), vendor()])
  return serve({
    ...options,
    folders: { '/pages/': workDir('pages'), '/vendor/': workDir('vendor'), '/package/': dir },
    answers: {
      '/': html(`import { Vivim } from '/pages/vivim.js'; window.peer = new Vivim()`, { importMap: imports }),
    },
  })
}
