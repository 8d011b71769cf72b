// Bundles the peer of the size comparison and prints its path: `cargo xtask size` weighs the file.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle } from '../lib/build.mjs'
import { workDir } from '../lib/paths.mjs'

const made = await bundle('bench/peer-bundle.js')
const path = join(workDir('bench'), 'peer-bundle.js')
writeFileSync(path, made['/pages/peer-bundle.js'].body)
console.log(path)
