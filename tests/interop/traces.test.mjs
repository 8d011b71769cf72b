// A real document's history of 259,778 edits, typed through the package's documents: the exact text, and Yjs reads it.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import * as Y from 'yjs'
import { unpackedPackage } from '../lib/build.mjs'
import { readTrace } from '../lib/trace.mjs'

const trace = readTrace()

test('the trace replays to the exact text through the package, and Yjs loads it', { skip: !trace && 'there is no ../shared/data/traces' }, async (t) => {
  const { edits, text } = /** @type {NonNullable<typeof trace>} */ (trace)
  const { dir } = unpackedPackage()
  const { default: init, NetworkNode } = await import(pathToFileURL(join(dir, 'dist/node.js')).href)
  await init()
  const node = new NetworkNode({})
  await node.start()
  const room = await node.joinRoom('trace')
  const document = room.document('typed')
  const typed = document.text('text')
  const start = performance.now()
  for (const [at, deleted, inserted] of edits) {
    if (deleted > 0) typed.delete(at, deleted)
    if (inserted) typed.insert(at, inserted)
  }
  t.diagnostic(`${edits.length} edits typed in ${Math.round(performance.now() - start)} ms`)
  assert.ok(typed.toString() === text, 'typed: another text')
  const state = document.encodeStateAsUpdate()
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, state)
  assert.ok(ydoc.getText('text').toString() === text, 'in Yjs: another text')
  const loaded = room.document('loaded')
  loaded.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  assert.ok(loaded.text('text').toString() === text, 'back from Yjs: another text')
  await node.stop()
})
