// Two nodes in one Node process over a real relay. Needs a global WebSocket (Node 22, or --experimental-websocket
// before) and the relay's program, named by VIVIM_RELAY.

import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'

const program = process.env.VIVIM_RELAY
const skip = typeof WebSocket === 'undefined' ? 'there is no global WebSocket in this Node'
  : program === undefined ? 'VIVIM_RELAY does not name the relay' : false
const MIB = 1024 * 1024

/** Starts a relay; gives its WebSocket address. */
async function relay(t) {
  const dir = mkdtempSync(join(tmpdir(), 'vivim-'))
  const flags = ['--data-dir', dir, '--host', '127.0.0.1', '--ws-port', '0', '--tcp-port', '0', '--http-port', '0', '--stun-port', '0']
  const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise(resolve => child.once('exit', resolve))
  t.after(async () => { child.kill(); await ended; rmSync(dir, { recursive: true }) })
  let output = ''
  for await (const chunk of child.stdout) {
    const ready = (output += chunk).match(/^ready (\{.*\})$/m)
    if (ready !== null) return JSON.parse(ready[1]).multiaddrs.find(address => address.includes('/ws/'))
  }
  throw new Error('the relay ended')
}

test('in Node, two nodes share a room, a document and a stream over the relay, and part at once', { skip }, async t => {
  await init()
  const bootstrapPeers = [await relay(t)]
  const [a, b] = [new NetworkNode({ bootstrapPeers }), new NetworkNode({ bootstrapPeers })]
  t.after(() => Promise.all([a.stop(), b.stop()]))
  await Promise.all([a.start(), b.start()])
  const [room, other] = await Promise.all([a.joinRoom('room'), b.joinRoom('room')])

  const ydoc = new Y.Doc()
  const provider = new VivimProvider(ydoc, { node: a, room })
  t.after(() => { provider.destroy(); ydoc.destroy() })
  const document = other.document()
  ydoc.getText('text').insert(0, 'from yjs')
  await new Promise(resolve => document.on('update', () => document.text('text').toString() === 'from yjs' && resolve()))
  document.text('text').insert(8, ' and yrs')
  await new Promise(resolve => ydoc.on('update', () => ydoc.getText('text').toString() === 'from yjs and yrs' && resolve()))
  assert.deepEqual(other.peers(), [{ peerId: a.getPeerId(), connected: true, direct: false }])
  assert.equal(other.status, 'relayed')

  await a.handle('/echo/1.0.0', stream => stream.readable.pipeTo(stream.writable))
  const stream = await b.openStream(a.getPeerId(), '/echo/1.0.0')
  let sum = 0
  const reading = (async () => { for await (const chunk of stream.readable) for (const byte of chunk) sum += byte })()
  const writer = stream.writable.getWriter()
  await writer.write(new Uint8Array(MIB).fill(3))
  await writer.close()
  await reading
  assert.equal(sum, 3 * MIB)
  assert.ok(await b.ping(a.getPeerId()) > 0)

  const left = new Promise(resolve => other.on('peer:leave', resolve))
  await a.stop()
  assert.deepEqual(await left, { peerId: a.getPeerId() })
})
