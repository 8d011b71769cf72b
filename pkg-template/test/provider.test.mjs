// VivimProvider by the contract of Yjs' providers, over rooms in memory.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { VivimProvider } from 'vivim-wasm/yjs'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
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

test('changes that nobody else has are counted until somebody says that he has them', async t => {
  const { member, hub } = setting(t)
  const a = member('a', { node: hub.node('a'), with: { connect: false } })
  const told = []
  a.provider.on('unsynced-changes', count => told.push(count))
  a.text.insert(0, 'x')
  a.text.insert(0, 'y')
  assert.equal(a.provider.unsyncedChanges, 2)
  a.provider.connect()
  await until('it is open', () => a.node.core.log.includes('open id of room/default'))
  assert.equal(a.provider.unsyncedChanges, 2)
  assert.deepEqual(a.provider.syncStatus, {
    connected: false, receivedInitialSync: false, localUpdatesSynced: false, status: 'red',
  })
  const b = member('b')
  await synced(a, b)
  await until('all are there', () => a.provider.unsyncedChanges === 0)
  assert.equal(a.provider.syncStatus.status, 'green')
  a.text.insert(0, 'z')
  assert.equal(a.provider.unsyncedChanges, 1)
  await until('it is there, too', () => a.provider.unsyncedChanges === 0)
  await turn()
  assert.deepEqual(told.at(-1), 0)
  // What came from there isn't ours to bring there.
  b.text.insert(0, 'from b')
  await until('it arrived', () => a.text.length === 9)
  assert.equal(a.provider.unsyncedChanges, 0)
})

test('sync-status goes red, yellow, green, and red again', async t => {
  const { member } = setting(t)
  const a = member('a', { with: { connect: false } })
  const heard = []
  a.provider.on('sync-status', ({ status }) => heard.push(status))
  a.text.insert(0, 'x')
  a.provider.connect()
  const b = member('b')
  await synced(a, b)
  await until('all is said', () => heard.at(-1) === 'green')
  a.provider.disconnect()
  assert.equal(heard.at(-1), 'red')
  assert.deepEqual([...new Set(heard)], ['red', 'yellow', 'green'])
})

test('whenSynced resolves, connection-close tells of the end, and both work again after a reconnect', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  const closed = []
  a.provider.on('connection-close', (error, from) => closed.push([error, from === a.provider]))
  for (let i = 0; i < 2; i += 1) {
    await a.provider.whenSynced
    assert.equal(a.provider.synced, true)
    a.provider.disconnect()
    assert.equal(a.provider.synced, false)
    assert.equal(closed.length, i + 1)
    a.provider.connect()
  }
  await synced(a, b)
  assert.deepEqual(closed[0], [null, true])
})

test('the first change of a quiet time leaves in its microtask, those that follow at once leave together', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  const { sent } = a.node.core
  a.text.insert(0, '1')
  await Promise.resolve()
  assert.equal(sent.length, 1)
  for (let i = 0; i < 50; i += 1) {
    a.text.insert(0, 'x')
    await Promise.resolve()
  }
  assert.equal(sent.length, 1)
  await until('they arrived', () => b.text.length === 51)
  assert.equal(sent.length, 2)
  await turn()
  await turn()
  a.text.insert(0, '2')
  await Promise.resolve()
  assert.equal(sent.length, 3)
})

test('more changes than are worth merging leave as one difference, and nothing is kept of them meanwhile', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  b.text.insert(0, 'there already')
  await until('it arrived', () => a.text.length === 13)
  let listeners = 0
  for (let i = 0; i < 10_000; i += 1) {
    a.text.insert(0, 'y')
    // Yjs encodes changes only while somebody listens.
    listeners = Math.max(listeners, i > 1_000 ? a.doc._observers.get('update')?.size ?? 0 : 0)
    if (i % 100 === 0) await Promise.resolve()
  }
  assert.equal(listeners, 0)
  await until('they arrived', () => b.text.length === 10_013)
  assert.ok(a.node.core.sent.length < 5, `${a.node.core.sent.length} updates`)
  // It listens again.
  await turn()
  a.text.insert(0, 'z')
  await until('that arrived, too', () => b.text.toString().startsWith('z'))
  assert.equal(a.provider.unsyncedChanges, 0)
})

test('disconnecting in the middle of a turn, or of an observer, loses nothing', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  for (let i = 0; i < 300; i += 1) a.text.insert(0, 'x')
  a.provider.disconnect()
  await until('what was written before is there', () => b.text.length === 300)
  a.provider.connect()
  await synced(a)
  a.text.observe(() => { if (a.text.length === 302) a.provider.destroy() })
  a.text.insert(0, 'y')
  a.doc.transact(() => { a.text.insert(0, 'z') })
  await turn()
  const c = new Y.Doc()
  Y.applyUpdate(c, Y.encodeStateAsUpdate(a.doc))
  assert.equal(c.getText('text').length, 302)
})

test('updates and cursors that another provider brings go to the room, and back', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  // As y-websocket works: its own origin for what comes in, everything else goes out.
  const elsewhere = new Y.Doc()
  const out = []
  a.doc.on('update', (update, origin) => { if (origin !== 'y-websocket') out.push(update) })
  elsewhere.getText('text').insert(0, 'from the server')
  Y.applyUpdate(a.doc, Y.encodeStateAsUpdate(elsewhere), 'y-websocket')
  await until('it is in the room', () => b.text.toString() === 'from the server')
  const stranger = new Awareness(new Y.Doc())
  t.after(() => stranger.destroy())
  stranger.setLocalState({ user: { name: 'Eve' } })
  applyAwarenessUpdate(a.awareness, encodeAwarenessUpdate(stranger, [stranger.clientID]), 'y-websocket')
  await until('the room knows her', () => b.awareness.getStates().get(stranger.clientID)?.user.name === 'Eve')
  removeAwarenessStates(a.awareness, [stranger.clientID], 'y-websocket')
  await until('she is gone', () => !b.awareness.getStates().has(stranger.clientID))
  b.text.insert(0, 'back ')
  await until('it arrived', () => a.text.toString() === 'back from the server')
  for (const update of out) Y.applyUpdate(elsewhere, update)
  assert.equal(elsewhere.getText('text').toString(), 'back from the server')
})

test('cursors are told again every 15 seconds, and whoever says nothing for 30 is forgotten', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  a.awareness.setLocalState({ user: { name: 'Ada' } })
  await until('it is known', () => b.awareness.getStates().get(a.doc.clientID)?.user !== undefined)
  const clock = () => b.awareness.meta.get(a.doc.clientID)?.clock
  const first = clock()
  // y-protocols looks at the time of the last word, not at a timer of its own.
  a.awareness.meta.get(a.doc.clientID).lastUpdated -= 15_000
  t.mock.timers.tick(3_000)
  await until('it was told again', () => clock() > first)
  b.awareness.meta.get(a.doc.clientID).lastUpdated -= 30_000
  t.mock.timers.tick(3_000)
  assert.equal(b.awareness.getStates().has(a.doc.clientID), false)
})

test('destroying the document, or the provider twice, ends everything once', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  const heard = []
  a.provider.on('status', ({ status }) => heard.push(status))
  a.doc.destroy()
  a.provider.destroy()
  a.provider.connect()
  assert.deepEqual(heard, ['disconnected'])
  assert.equal(a.provider.status, 'disconnected')
  b.text.insert(0, 'x')
  await turn()
  assert.equal(a.text.length, 0)
})

/** Two tabs with nodes that don't run, in a room of its own. */
function tabs(t, count = 2, room = `tabs of ${t.name}`) {
  const { hub, member } = setting(t)
  return Array.from({ length: count }, (_, i) => {
    const node = hub.node(`tab ${i}`)
    node.stop()
    return member(`tab ${i}`, { node, with: { room, broadcastChannel: true } })
  })
}

test('tabs exchange everything without a node, without echoes, and say goodbye', async t => {
  const [a, b, c] = tabs(t, 3)
  a.text.insert(0, 'a')
  a.awareness.setLocalState({ user: { name: 'Ada' } })
  await until('all have it', () => [b, c].every(({ text }) => text.toString() === 'a'))
  const origins = []
  c.doc.on('update', (_, origin) => origins.push(origin))
  for (let i = 0; i < 1_000; i += 1) b.text.insert(b.text.length, 'b')
  await until('all have that', () => [a, c].every(({ text }) => text.length === 1_001))
  assert.deepEqual(origins, [c.provider])
  await until('all know all', () => [a, b, c].every(({ awareness }) => awareness.getStates().size === 3))
  assert.equal(b.awareness.getStates().get(a.doc.clientID).user.name, 'Ada')
  a.provider.disconnect()
  await until('it is gone', () => [b, c].every(({ awareness }) => awareness.getStates().size === 2))
  a.text.insert(0, 'alone ')
  b.text.insert(b.text.length, ' meanwhile')
  a.provider.connect()
  await until('all is there again', () => [a, b, c].every(({ text }) => text.length === 1_017))
  await until('and everybody', () => [a, b, c].every(({ awareness }) => awareness.getStates().size === 3))
})

test('tabs of other documents, and messages that are none, are left alone', async t => {
  t.mock.method(console, 'warn', () => {})
  const [a] = tabs(t, 1, 'one')
  const [b] = tabs(t, 1, 'two')
  a.text.insert(0, 'x')
  const channel = new BroadcastChannel('vivim:one/default')
  t.after(() => channel.close())
  const heard = new Promise(resolve => { channel.onmessage = resolve })
  const envelope = { id: 'stranger', kind: 'hello', to: undefined, peerId: undefined, online: false }
  for (const message of [null, 'text', {}, { ...envelope, messages: ['no bytes'] }, { ...envelope, kind: 'other', messages: [] }]) {
    channel.postMessage(message)
  }
  channel.postMessage({ ...envelope, messages: [Uint8Array.of(0, 1, 200), Uint8Array.of(0, 2, 2, 255, 255), Uint8Array.of(9)] })
  await heard
  await turn()
  assert.equal(a.text.toString(), 'x')
  assert.equal(b.text.toString(), '')
})

test('a tab that is connected passes on between the room and a tab that is not', async t => {
  const { hub, member } = setting(t)
  const room = 'passed on'
  const stopped = hub.node('stopped')
  stopped.stop()
  const online = member('online', { with: { room, broadcastChannel: true } })
  const offline = member('offline', { node: stopped, with: { room, broadcastChannel: true } })
  const far = member('far', { with: { room } })
  await synced(online, far)
  offline.text.insert(0, 'a')
  offline.awareness.setLocalState({ user: { name: 'Off' } })
  await until('it is far away', () => far.text.toString() === 'a')
  await until('the cursor, too', () => far.awareness.getStates().get(offline.doc.clientID)?.user?.name === 'Off')
  far.text.insert(1, 'b')
  far.awareness.setLocalState({ user: { name: 'Far' } })
  await until('it is here', () => offline.text.toString() === 'ab')
  await until('that cursor, too', () => offline.awareness.getStates().get(far.doc.clientID)?.user?.name === 'Far')
  // Once it is connected itself, nobody passes anything on, and nobody says anything twice.
  stopped.start()
  await synced(offline)
  await until('all are in step', () => [online, offline].every(({ provider }) => provider.connected))
  await turn()
  const before = online.node.core.sent.length
  far.text.insert(2, 'c')
  offline.text.insert(0, 'd')
  await until('all have all', () => [online, offline, far].every(({ text }) => text.toString() === 'dabc'))
  assert.equal(online.node.core.sent.length, before)
})

test('a cursor that moves a thousand times in one turn is told once', async t => {
  const { members: [a, b] } = setting(t, 'a', 'b')
  await synced(a, b)
  const told = t.mock.method(a.node.core.attachment, 'awareness')
  for (let at = 0; at < 1_000; at += 1) a.awareness.setLocalStateField('cursor', at)
  await until('it is known', () => b.awareness.getStates().get(a.doc.clientID)?.cursor === 999)
  assert.equal(told.mock.callCount(), 1)
})
