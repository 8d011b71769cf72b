// Puts the packed npm package into node_modules.
//
// The page is built from the tarball that `cargo xtask pack` makes, as any application would use it,
// never from a path inside the workspace. The tarball is not listed in package.json: its hash changes
// with every build, and a lock file would refuse the next one. `npm install` and `npm ci` remove
// what they don't know, so every build runs this first; it does nothing when the package is current.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const www = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const tarball = process.env.VIVIM_WASM_TARBALL ?? resolve(www, '../target/npm/vivim-wasm.tgz')
const installed = join(www, 'node_modules/vivim-wasm')
const stamp = join(installed, '.tarball-sha256')

if (!existsSync(tarball)) {
  console.error(`There is no package at ${tarball}. Make it with: cargo xtask pack`)
  process.exit(1)
}

const hash = createHash('sha256').update(readFileSync(tarball)).digest('hex')
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) {
  process.exit(0)
}

const unpacking = join(www, 'node_modules/.vivim-wasm-unpacking')
rmSync(unpacking, { recursive: true, force: true })
mkdirSync(unpacking, { recursive: true })
execFileSync('tar', ['-xzf', tarball, '-C', unpacking], { stdio: 'inherit' })
rmSync(installed, { recursive: true, force: true })
renameSync(join(unpacking, 'package'), installed) // npm tarballs hold one folder, "package"
rmSync(unpacking, { recursive: true, force: true })
// Vite's development server keeps prebundled copies; an old one would hide the new package.
rmSync(join(www, 'node_modules/.vite'), { recursive: true, force: true })
writeFileSync(stamp, hash)
console.log(`vivim-wasm linked from ${tarball}`)
