// CRDTSyncService without a network: what it opens, reads, merges and tells.

import { strict as assert } from 'node:assert'
import { after, before, test } from 'node:test'
import init, { CRDTSyncService, NetworkNode, SharedArray, SharedMap, SharedText, SharedXmlFragment, VivimError } from 'vivim-wasm'
import * as Y from 'yjs'

/** Somebody who never runs. */
const NOBODY = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

let node
let service
before(async () => {
  await init()
  node = new NetworkNode()
  service = new CRDTSyncService({ node })
})
after(async () => {
  await service.destroy()
  await node.stop()
})

const code = code => error => error instanceof VivimError && error.code === code
const settled = () => new Promise(resolve => setTimeout(resolve))

test('a document’s updates go in and out by its name, as Yjs writes them', () => {
  const ydoc = new Y.Doc()
  ydoc.getText('t').insert(0, 'from yjs')
  service.createDocument('updates')
  service.applyUpdate('updates', Y.encodeStateAsUpdate(ydoc))
  assert.equal(service.getDocument('updates').text('t').toString(), 'from yjs')
  service.getDocument('updates').text('t').insert(8, ', and back')
  Y.applyUpdate(ydoc, service.encodeStateAsUpdate('updates'))
  assert.equal(ydoc.getText('t').toString(), 'from yjs, and back')
  assert.deepEqual(
    new Map(Y.decodeStateVector(service.encodeStateAsVector('updates'))), new Map(Y.decodeStateVector(Y.encodeStateVector(ydoc))))
  assert.throws(() => service.applyUpdate('updates', Uint8Array.of(255, 255)), code('INVALID_UPDATE'))
})

test('a document that is not open in the service is not found, whatever is asked of it', async () => {
  for (const call of [
    () => service.applyUpdate('nowhere', Uint8Array.of(0, 0)), () => service.encodeStateAsUpdate('nowhere'),
    () => service.encodeStateAsVector('nowhere'), () => service.getSyncState('nowhere'), () => service.getVectorClock('nowhere'),
    () => service.getConnectedPeers('nowhere'), () => service.getSharedType('nowhere', 't'),
    () => service.mergeDocument('nowhere', 'nowhere'), () => service.setAwareness('user', 1, 'nowhere'),
  ]) assert.throws(call, code('NOT_FOUND'), String(call))
  await assert.rejects(service.sync('nowhere', NOBODY), code('NOT_FOUND'))
  await assert.rejects(service.stopSync('nowhere'), code('NOT_FOUND'))
  assert.equal(service.getDocument('nowhere'), undefined)
})

test('one document is taken into another, which keeps what it had', () => {
  const [one, two] = [service.createDocument('one'), service.createDocument('two')]
  one.map('m').set('one', 1)
  two.map('m').set('two', 2)
  service.mergeDocument(one, 'two')
  assert.deepEqual(two.map('m').toJSON(), { one: 1, two: 2 })
  assert.deepEqual(one.map('m').toJSON(), { one: 1 })
})

test('a shared type is given as what it is, and is a map where there is none', () => {
  const document = service.createDocument('kinds')
  document.text('text')
  document.array('array')
  document.xml('xml')
  for (const [name, type] of [['text', SharedText], ['array', SharedArray], ['xml', SharedXmlFragment], ['new', SharedMap]]) {
    assert.ok(service.getSharedType('kinds', name) instanceof type, name)
  }
  assert.equal(service.getSharedType('kinds', 'text'), document.text('text'))
})

test('whoever listens hears of each document’s updates, also of those that were open before', async () => {
  const before = service.createDocument('heard before')
  const heard = []
  const off = service.on('document:update', ({ docId, update, origin }) => heard.push({ docId, update, origin }))
  before.text('t').insert(0, 'a')
  service.createDocument('heard later').text('t').insert(0, 'b')
  await settled()
  assert.deepEqual(heard.map(({ docId, origin }) => `${docId}: ${origin}`), ['heard before: local', 'heard later: local'])
  const copy = new Y.Doc()
  Y.applyUpdate(copy, heard[0].update)
  assert.equal(copy.getText('t').toString(), 'a')
  off()
  before.text('t').insert(1, 'c')
  await settled()
  assert.equal(heard.length, 2)
})

test('without a network a document is offline, its clock is this device’s, and nobody can be synced with', async () => {
  const document = service.createDocument('alone')
  document.text('t').insert(0, 'abc')
  assert.equal(service.getSyncState('alone'), 'offline')
  assert.deepEqual(service.getConnectedPeers('alone'), [])
  assert.deepEqual(Object.values(service.getVectorClock('alone')), [3])
  assert.deepEqual(document.vectorClock(), service.getVectorClock('alone'))
  const { local, unsynced, reached, stored, kept, peers } = document.receipts()
  assert.deepEqual({ local, unsynced, reached, stored, kept, peers }, { local: 1, unsynced: 1, reached: 0, stored: 0, kept: 0, peers: [] })
  await assert.rejects(service.sync(document, NOBODY), code('STOPPED'))
  await service.stopSync(document)
})

test('a document’s states are told under its name while its room is joined and left', async () => {
  const other = new NetworkNode()
  const own = new CRDTSyncService({ node: other })
  const heard = []
  own.on('sync:state', ({ docId, state }) => heard.push(`${docId} ${state}`))
  own.on('connection:status', ({ docId, status }) => heard.push(`${docId} ${status}`))
  const document = await own.createDocument({ docId: 'told', docType: 'notes' })
  const [hidden, told] = [own.createDocument({ docId: 'hidden', p2pEnabled: false }), []]
  const becomes = state => new Promise(resolve => document.on('status', ({ status }) => status === state && resolve()))
  const connecting = becomes('connecting')
  await other.start()
  await connecting
  const offline = becomes('offline')
  await own.stopSync('told')
  await offline
  document.on('closed', () => told.push('closed'))
  await (await hidden).ready
  assert.equal((await hidden).status, 'offline')
  await own.destroy()
  assert.deepEqual(told, ['closed'])
  assert.equal(document.closed, true)
  assert.deepEqual(heard.slice(0, 4), ['told connecting', 'told connecting', 'told offline', 'told disconnected'])
  assert.ok(!heard.some(line => line.startsWith('hidden')), heard.join())
  assert.throws(() => own.createDocument('more'), code('CLOSED'))
  await other.stop()
})

test('a name has at most 4 KiB, and a longer one is refused before anything is opened', async () => {
  const longest = 'x'.repeat(4_096)
  assert.equal(service.createDocument(longest).roomName, longest)
  assert.throws(() => service.createDocument(`${longest}x`), code('INVALID_NAME'))
  await assert.rejects(service.createDocument({ docId: 'é'.repeat(2_049) }), code('INVALID_NAME'))
  await assert.rejects(service.exportDocument(`${longest}x`), code('INVALID_NAME'))
  const other = new NetworkNode()
  await other.start()
  const room = await other.joinRoom(longest)
  await room.document(longest).ready
  assert.throws(() => room.document(`${longest}x`), code('INVALID_NAME'))
  await assert.rejects(other.joinRoom(`${longest}x`), code('INVALID_NAME'))
  await other.stop()
})
