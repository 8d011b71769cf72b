// Documents kept by the module, alone and against Yjs.

import { strict as assert } from 'node:assert'
import { after, before, test } from 'node:test'
import init, { NetworkNode, VivimError } from 'vivim-wasm'
import * as Y from 'yjs'

let node
let room
before(async () => {
  await init()
  node = new NetworkNode()
  await node.start()
  room = await node.joinRoom('documents')
})
after(() => node.stop())

const code = code => error => error instanceof VivimError && error.code === code
const next = (document, event) => new Promise(resolve => { const off = document.on(event, detail => { off(); resolve(detail) }) })

test('text counts in UTF-16 units, as JavaScript does', () => {
  const text = room.document('utf16').text('text')
  text.insert(0, 'a🎉b')
  assert.equal(text.length, 'a🎉b'.length)
  text.insert(3, '-')
  assert.equal(text.toString(), 'a🎉-b')
  text.delete(1, 2)
  assert.equal(text.toString(), 'a-b')
  text.delete(0, 3)
  assert.equal(text.toString(), '')
})

test('a map holds every plain value, and gives back what was set', () => {
  const map = room.document('values').map('map')
  const value = {
    null: null, yes: true, number: 1.5, minus: -7, big: 2n ** 60n, text: 'ü🎉', bytes: Uint8Array.of(1, 2, 255),
    list: [1, 'two', [null]], record: { nested: { deep: [] } }, empty: '',
  }
  for (const [key, entry] of Object.entries(value)) map.set(key, entry)
  for (const [key, entry] of Object.entries(value)) assert.deepEqual(map.get(key), entry, key)
  assert.deepEqual(map.toJSON(), value)
  assert.equal(map.get('absent'), undefined)
  map.delete('text')
  map.delete('absent')
  assert.equal(map.get('text'), undefined)
  map.set('odd', JSON.parse('{"__proto__": 1}'))
  assert.equal(JSON.stringify(map.get('odd')), '{"__proto__":1}')
})

test('what a document cannot take is refused by its code and changes nothing', () => {
  const document = room.document('refusals')
  const text = document.text('text')
  const map = document.map('map')
  assert.throws(() => text.insert(1, 'x'), code('OUT_OF_BOUNDS'))
  assert.throws(() => text.delete(0, 1), code('OUT_OF_BOUNDS'))
  assert.throws(() => text.insert(-1, 'x'), code('INVALID_ARGUMENT'))
  assert.throws(() => text.insert(0.5, 'x'), code('INVALID_ARGUMENT'))
  assert.throws(() => document.map('text').set('a', 1), code('WRONG_KIND'))
  assert.throws(() => map.set('f', () => {}), code('INVALID_ARGUMENT'))
  assert.throws(() => map.set('u', undefined), code('INVALID_ARGUMENT'))
  const loop = []
  loop.push(loop)
  assert.throws(() => map.set('loop', loop), code('INVALID_ARGUMENT'))
  assert.throws(() => document.applyUpdate(Uint8Array.of(255, 255, 255)), code('INVALID_UPDATE'))
  assert.throws(() => document.encodeStateAsUpdate(Uint8Array.of(255)), code('INVALID_UPDATE'))
  assert.deepEqual(document.toJSON(), { map: {}, text: '' })
})

test('a value that throws when it is looked at is refused, however often', () => {
  const map = room.document('proxies').map('map')
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const bytes = new Proxy(new Uint8Array(1), {})
  for (const bad of [proxy, [proxy], bytes, { bytes }]) {
    // An exception that the module doesn't catch costs it a place, of which it has 128.
    for (let i = 0; i < 150; i++) assert.throws(() => map.set('bad', bad), code('INVALID_ARGUMENT'))
  }
  map.set('good', 1)
  assert.deepEqual(map.toJSON(), { good: 1 })
})

test('it and a Y.Doc exchange updates and come to the same content', async () => {
  const document = room.document('with yjs')
  const ydoc = new Y.Doc()
  document.on('update', ({ update, local }) => local && Y.applyUpdate(ydoc, update, 'room'))
  ydoc.on('update', (update, origin) => origin !== 'room' && document.applyUpdate(update))
  ydoc.getText('text').insert(0, 'from yjs')
  document.text('text').insert(8, ' and yrs 🎉')
  document.map('map').set('key', { a: [1] })
  await next(document, 'update')
  assert.equal(ydoc.getText('text').toString(), 'from yjs and yrs 🎉')
  assert.equal(document.text('text').toString(), 'from yjs and yrs 🎉')
  ydoc.getText('text').delete(0, 5)
  ydoc.getMap('map').set('other', 'x')
  assert.deepEqual(document.toJSON(), { text: 'yjs and yrs 🎉', map: { key: { a: [1] }, other: 'x' } })
  assert.deepEqual(
    new Map(Y.decodeStateVector(document.encodeStateVector())), new Map(Y.decodeStateVector(Y.encodeStateVector(ydoc))))
  const copy = new Y.Doc()
  Y.applyUpdate(copy, document.encodeStateAsUpdate())
  assert.equal(copy.getText('text').toString(), 'yjs and yrs 🎉')
  assert.deepEqual([...Y.encodeStateAsUpdate(copy, document.encodeStateVector())].length > 0, true)
})

test('many changes of one turn leave together, and none is lost', async () => {
  const document = room.document('many')
  const ydoc = new Y.Doc()
  let updates = 0
  document.on('update', ({ update }) => { updates += 1; Y.applyUpdate(ydoc, update) })
  const text = document.text('text')
  for (let i = 0; i < 1_000; i += 1) text.insert(i, String(i % 10))
  text.delete(0, 10)
  await next(document, 'update')
  assert.equal(updates, 1)
  assert.equal(ydoc.getText('text').toString(), text.toString())
  assert.equal(text.length, 990)
})

test('the same name is the same document, until it is closed', async () => {
  const document = room.document('same')
  assert.equal(room.document('same'), document)
  await document.ready
  document.text('text').insert(0, 'kept')
  await document.close()
  await document.close()
  assert.equal(document.closed, true)
  assert.equal(document.text('text').toString(), 'kept')
  assert.throws(() => document.text('text').insert(0, 'x'), code('CLOSED'))
  const fresh = room.document('same')
  assert.notEqual(fresh, document)
  assert.equal(fresh.docId, document.docId)
  await fresh.ready
  assert.equal(fresh.text('text').toString(), '')
})

test('a document that is open cannot be attached a second time', async () => {
  await room.document('taken').ready
  const replica = { summary: () => new Uint8Array(), diff: () => new Uint8Array(), apply: () => {} }
  await assert.rejects(room.attach('taken', replica), code('ALREADY_OPEN'))
  const attachment = await room.attach('free', replica)
  attachment.update(Uint8Array.of(0, 0))
  await attachment.detach()
  await attachment.detach()
  await (await room.attach('free', replica)).detach()
})

test('documents of a stopped node are closed, and what they held can be read', async () => {
  const other = new NetworkNode()
  await other.start()
  const document = (await other.joinRoom('x')).document()
  document.text('text').insert(0, 'read me')
  await other.stop()
  assert.equal(document.closed, true)
  assert.equal(document.text('text').toString(), 'read me')
})
