// Weighs what a page downloads.
//
//   node weigh.mjs package <package folder> <folder for the minified files>
//   node weigh.mjs files <file>...
//
// A package is weighed as a page that uses everything gets it at first: the JavaScript of all browser entries,
// bundled and minified once (shared code counts once), and the first file of the wasm. yjs and y-protocols belong
// to the application. Prints {"raw", "gzip", "brotli"} in bytes on one line.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { constants, brotliCompressSync, gzipSync } from 'node:zlib'

import { build } from 'esbuild'

/** The file an entry of `exports` leads a browser to. */
function browserFile(target) {
  if (target === null || target === undefined) return undefined
  if (typeof target === 'string') return target.endsWith('.js') ? target : undefined
  for (const condition of ['browser', 'import', 'default']) {
    const file = browserFile(target[condition])
    if (file) return file
  }
  return undefined
}

/** @returns {Promise<Uint8Array[]>} */
async function packageFiles(packageFolder, outFolder) {
  const manifest = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'))
  const entries = [...new Set(Object.values(manifest.exports).map(browserFile).filter(Boolean))]
  rmSync(outFolder, { recursive: true, force: true })
  mkdirSync(outFolder, { recursive: true })
  const { outputFiles } = await build({
    absWorkingDir: resolve(packageFolder),
    entryPoints: entries,
    outdir: resolve(outFolder),
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    external: ['yjs', 'y-protocols', 'y-protocols/*', 'lib0', 'lib0/*', 'node:*', '*.wasm'],
    legalComments: 'none',
    logLevel: 'error',
    write: false,
  })
  for (const { path, contents } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, contents) // kept for whoever wants to see what weighs
  }
  const wasm = readFileSync(join(packageFolder, 'wasm/vivim_wasm_start.wasm'))
  refuseForeignImports(wasm)
  return [...outputFiles.map(({ contents }) => contents), wasm]
}

/** A wasm that wants something of "env" was linked against a C symbol that no browser has. */
function refuseForeignImports(wasm) {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm))
  const foreign = imports.find(({ module }) => module === 'env')
  if (foreign) {
    console.error(`the wasm imports "${foreign.name}" from "env": a dependency isn't made for browsers`)
    process.exit(1)
  }
}

function brotli(contents) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_SIZE_HINT]: contents.length,
  }
  return brotliCompressSync(contents, { params })
}

const [kind, ...args] = process.argv.slice(2)
let files
if (kind === 'package' && args.length === 2) {
  files = await packageFiles(args[0], args[1])
} else if (kind === 'files' && args.length > 0) {
  files = args.map((file) => readFileSync(file))
} else {
  console.error('usage: weigh.mjs package <package folder> <out folder> | weigh.mjs files <file>...')
  process.exit(2)
}
const total = (size) => files.reduce((sum, contents) => sum + size(contents), 0)
console.log(
  JSON.stringify({
    raw: total((contents) => contents.length),
    gzip: total((contents) => gzipSync(contents, { level: 9 }).length),
    brotli: total((contents) => brotli(contents).length),
  }),
)
