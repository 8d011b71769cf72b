// Runs one suite: `node run.mjs e2e|interop [part of a case's name]`.
//
// Files run two at a time: they mostly wait for browsers, and the case that has to sleep for a minute must not be
// waited for alone.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { TESTS } from './lib/paths.mjs'

const CONCURRENT_FILES = 2

const [suite, filter] = process.argv.slice(2)
if (suite !== 'e2e' && suite !== 'interop') {
  console.error('which suite? node run.mjs e2e|interop [part of a case’s name]')
  process.exit(2)
}
const dir = join(TESTS, suite)
// The longest one first, so that it overlaps with all the others.
const files = readdirSync(dir)
  .filter((name) => name.endsWith('.test.mjs'))
  .sort((a, b) => Number(b.startsWith('sleep')) - Number(a.startsWith('sleep')) || (a < b ? -1 : 1))
  .map((name) => join(dir, name))
const escaped = filter?.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const child = spawn(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${CONCURRENT_FILES}`,
    '--test-reporter=spec',
    ...(escaped ? [`--test-name-pattern=${escaped}`] : []),
    ...files,
  ],
  { stdio: 'inherit' },
)
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal))
