// VivimProvider by the contract of Yjs' providers, over rooms in memory.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { VivimProvider } from 'vivim-wasm/yjs'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Hub, turn, until } from './network.mjs'

/** Members of one room; whatever they make is cleaned up. */
function setting(t, ...peerIds) {
  const hub = new Hub()
  const made = []
  t.after(() => { for (const provider of made) { provider.destroy(); provider.doc.destroy() } })
  const member = (peerId, options = {}) => {
    const doc = options.doc ?? new Y.Doc()
    const node = options.node ?? hub.node(peerId)
    const provider = new VivimProvider(doc, { node, room: 'room', ...options.with })
    made.push(provider)
    return { doc, node, provider, text: doc.getText('text'), awareness: provider.awareness }
  }
  return { hub, member, members: peerIds.map(peerId => member(peerId)) }
}

const synced = (...members) => until('all are synced', () => members.every(({ provider }) => provider.synced))

test('two documents come to the same content, whoever wrote before and after they met', async t => {
  const { member } = setting(t)
  const a = member('a')
  a.text.insert(0, 'before ')
  const b = member('b')
  b.text.insert(0, 'also ')
  await synced(a, b)
  a.text.insert(0, '1')
  b.text.insert(0, '2')
  await until('they are equal', () => a.text.toString() === b.text.toString())
  assert.equal(a.text.length, 'before also 12'.length)
})

test('remote changes have the provider as origin and are not sent back', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  const origins = []
  b.doc.on('update', (update, origin) => origins.push(origin))
  a.text.insert(0, 'x')
  await until('it arrived', () => b.text.toString() === 'x')
  await turn()
  assert.deepEqual(origins, [b.provider])
  assert.equal(b.node.core.sent.length, 0)
  assert.equal(a.node.core.sent.length, 1)
})

test('changes of one turn leave as one update, and what another provider wrote is sent', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  for (let i = 0; i < 100; i += 1) a.text.insert(i, 'x')
  const stored = new Y.Doc()
  stored.getText('text').insert(0, 'from storage')
  Y.applyUpdate(a.doc, Y.encodeStateAsUpdate(stored), 'y-indexeddb')
  await until('it arrived', () => b.text.length === 112)
  assert.equal(a.node.core.sent.length, 1)
})

test('status, sync, synced and peers are told, and once and off work', async t => {
  const { member } = setting(t)
  const a = member('a', { with: { connect: false } })
  const heard = []
  a.provider.on('status', ({ status }) => heard.push(status))
  a.provider.on('sync', state => heard.push(`sync ${state}`))
  a.provider.once('synced', state => heard.push(`synced once ${state}`))
  const never = () => heard.push('never')
  a.provider.on('status', never)
  a.provider.off('status', never)
  assert.equal(a.provider.status, 'disconnected')
  a.provider.connect()
  a.provider.connect()
  const b = member('b')
  await synced(a, b)
  const peers = new Promise(resolve => a.provider.once('peers', resolve))
  a.provider.room.dispatch({ type: 'room:peers', roomId: a.provider.room.id })
  assert.deepEqual(await peers, { added: ['b'], removed: [], peers: [{ peerId: 'b', connected: true, direct: false }] })
  assert.equal(a.provider.connected, true)
  a.provider.disconnect()
  a.provider.disconnect()
  assert.deepEqual(heard, ['connecting', 'connected', 'sync true', 'synced once true', 'sync false', 'disconnected'].filter(Boolean))
})

test('alone in a room that a relay has confirmed, the document counts as synced', async t => {
  const { members: [a] } = setting(t, 'a')
  await until('it is open', () => a.node.core.log.includes('open id of room/default'))
  assert.equal(a.provider.synced, false)
  assert.equal(a.provider.status, 'connecting')
  a.provider.room.dispatch({ type: 'room:joined', roomId: a.provider.room.id, total: 0 })
  assert.equal(a.provider.synced, true)
  assert.equal(a.provider.status, 'connected')
})

test('cursors are shared, and go when their peer goes', async t => {
  const { members: [a, b, c] } = setting(t, 'a', 'b', 'c')
  await synced(a, b, c)
  a.awareness.setLocalStateField('user', { name: 'Ada' })
  b.awareness.setLocalStateField('user', { name: 'Bob' })
  await until('all know all', () => [a, b, c].every(({ awareness }) => awareness.getStates().size === 3))
  assert.deepEqual(c.awareness.getStates().get(a.doc.clientID), { user: { name: 'Ada' } })
  // A connection that breaks says nothing.
  a.node.core.attachment.vanish()
  await until('it is gone', () => !c.awareness.getStates().has(a.doc.clientID))
  assert.ok(c.awareness.getStates().has(b.doc.clientID))
  // It comes back, with the state that the others have forgotten.
  const back = a.node.core.attachment
  back.core.hub.members.add(back)
  back.core.hub.meet(back)
  await until('it is back', () => c.awareness.getStates().has(a.doc.clientID))
})

test('a disconnected provider takes its cursor with it, forgets the others, and brings all back', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  a.awareness.setLocalStateField('user', { name: 'Ada' })
  await until('it is known', () => b.awareness.getStates().has(a.doc.clientID))
  a.provider.disconnect()
  await until('it is gone', () => !b.awareness.getStates().has(a.doc.clientID))
  assert.deepEqual([...a.awareness.getStates().keys()], [a.doc.clientID])
  a.text.insert(0, 'alone')
  a.provider.connect()
  await until('it is back', () => b.awareness.getStates().get(a.doc.clientID)?.user.name === 'Ada')
  await until('what it wrote meanwhile, too', () => b.text.toString() === 'alone')
})

test('mounting twice, as React does in development, leaves one working provider', async t => {
  const { hub, member } = setting(t)
  const node = hub.node('a')
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  t.after(() => awareness.destroy())
  const first = member('a', { node, doc, with: { awareness } })
  first.provider.destroy()
  first.provider.destroy()
  const errors = []
  const second = member('a', { node, doc, with: { awareness } })
  second.provider.on('connection-error', error => errors.push(error.code))
  const b = member('b')
  second.text.insert(0, 'once')
  await synced(second, b)
  await until('it arrived', () => b.text.toString() === 'once')
  assert.deepEqual(errors, [])
  assert.deepEqual(awareness.getLocalState(), {})
})

test('mounting twice in a room that the application joined works, too, and never leaves it', async t => {
  const { hub, member } = setting(t)
  const node = hub.node('a')
  const room = await node.joinRoom('room')
  const doc = new Y.Doc()
  for (let i = 0; i < 5; i += 1) {
    member('a', { node, doc, with: { room } }).provider.destroy()
    if (i % 2 === 1) await turn()
  }
  const last = member('a', { node, doc, with: { room } })
  const b = member('b')
  await synced(last, b)
  last.provider.destroy()
  await turn()
  assert.equal(room.left, false)
})

test('a room joined by name is left with its last provider', async t => {
  const { hub, member } = setting(t)
  const node = hub.node('a')
  const one = member('a', { node, with: { name: 'one' } })
  const two = member('a', { node, with: { name: 'two' } })
  await until('both are open', () => node.core.log.filter(line => line.startsWith('open')).length === 2)
  one.provider.destroy()
  await until('one is closed', () => node.core.log.includes('close id of room/one'))
  assert.equal(node.core.log.includes('leave room'), false)
  two.doc.destroy()
  await until('it is left', () => node.core.log.includes('leave room'))
})

test('a second provider for the same document of the same node is told so', async t => {
  const { hub, member } = setting(t)
  const node = hub.node('a')
  member('a', { node })
  const second = member('a', { node })
  const error = await new Promise(resolve => second.provider.once('connection-error', resolve))
  assert.equal(error.code, 'ALREADY_OPEN')
  assert.equal(second.provider.status, 'disconnected')
})

test('a node that is stopped takes the provider offline, and one that starts again brings it back', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  a.node.stop()
  assert.equal(a.provider.status, 'connecting')
  assert.equal(a.provider.synced, false)
  a.text.insert(0, 'offline')
  a.node.start()
  await until('it is back', () => b.text.toString() === 'offline')
  await until('it is connected', () => a.provider.status === 'connected')
})

test('a peer that sends rubbish is refused, and an observer that throws is not the peer’s fault', async t => {
  t.mock.method(console, 'error', () => {})
  t.mock.method(console, 'warn', () => {})
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  const place = b.node.core.attachment
  const from = a.node.core.attachment
  assert.equal(place.ask('apply', from, Uint8Array.of(1, 2, 3, 4)).kind, 'malformed')
  assert.equal(place.ask('diff', from, Uint8Array.of(255, 255)).kind, 'malformed')
  assert.equal(place.ask('applyAwareness', from, Uint8Array.of(255)).kind, 'malformed')
  b.text.observe(() => { throw new Error('on purpose') })
  const other = new Y.Doc()
  other.getText('text').insert(0, 'fine')
  assert.equal(place.ask('apply', from, Y.encodeStateAsUpdate(other)).kind, 'applied')
  assert.equal(b.text.toString(), 'fine')
})

test('providers refuse what is not a node or a room', () => {
  const doc = new Y.Doc()
  assert.throws(() => new VivimProvider(doc, { node: {}, room: 'room' }), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => new VivimProvider(doc, { node: new Hub().node('a'), room: {} }), { code: 'INVALID_ARGUMENT' })
})
