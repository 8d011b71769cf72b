// What a stream takes from the application, without a network.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { Stream } from '../dist/stream.js'

test('a chunk that was written may be used again and transferred', async () => {
  const queued = []
  const stream = Stream.create({ write: chunk => void queued.push(chunk) })
  const writer = stream.writable.getWriter()
  const chunk = Uint8Array.of(1, 2, 3)
  await writer.write(chunk)
  chunk.fill(4)
  await writer.write(chunk)
  structuredClone(chunk, { transfer: [chunk.buffer] })
  assert.deepEqual(queued, [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 4, 4)])
})
