// What becomes of it all when the module traps, as it does when Rust panics. Each in a process of its own:
// the module is dead afterwards.

import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

/** A node with a document, in a module that traps wherever it is entered next. */
const BROKEN = `
  import init, { NetworkNode } from 'vivim-wasm'
  import exports from '../wasm/vivim_wasm.js'
  const codeOf = (f) => Promise.resolve().then(f).then(() => 'nothing', error => error.code)
  process.on('uncaughtException', () => {}) // what a browser writes to its console
  await init()
  const node = new NetworkNode()
  await node.start()
  const document = (await node.joinRoom('room')).document('document')
  const { memory } = await exports()
  const breakIt = () => new Uint8Array(memory.buffer).fill(0xff)
`

async function run(script) {
  const args = ['--input-type=module', '--eval', `${BROKEN}${script}`]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, timeout: 60_000 })
  return JSON.parse(stdout)
}

test('a call that traps says so, and so does every call after it', async () => {
  const codes = await run(`
    breakIt()
    const insert = await codeOf(() => document.text('text').insert(0, 'x'))
    const join = await codeOf(() => node.joinRoom('another'))
    console.log(JSON.stringify([insert, join]))
    process.exit()
  `)
  assert.deepEqual(codes, ['PANICKED', 'PANICKED'])
})

test('what is awaited ends when a callback traps, and the node tells of it', async () => {
  const codes = await run(`
    const told = new Promise(resolve => node.on('error', error => resolve(error.code)))
    const flushed = codeOf(() => document.flush())
    const joined = codeOf(() => node.joinRoom('another'))
    await null
    breakIt()
    console.log(JSON.stringify([await flushed, await joined, await told]))
    process.exit()
  `)
  assert.deepEqual(codes, ['PANICKED', 'PANICKED', 'PANICKED'])
})
