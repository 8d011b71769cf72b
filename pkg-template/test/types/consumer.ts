// What an application writes, with the type that each expression must have. Checked by tsc, never run.

import init, {
  NetworkNode, randomRoomName, roomLink, roomNameFromLink, SharedMap, SharedText, VERSION, VivimError, whole,
  type AbsolutePosition, type ArrayChange, type Attachment, type ChangeOrigin, type Connection, type DocMap, type DocText, type DoctorReport, type DocValue, type JsReplica,
  type MapChange, type NodeConfig, type NodeInfo, type NodeStatus, type PeerInfo, type PubSubMessage, type RelativePosition, type Room, type RoomPeer,
  type SharedArray, type SharedChange, type SharedType, type SharedValue, type SharedXmlElement, type SharedXmlFragment,
  type SharedXmlText,
  type Stream, type TextChange, type TextDelta, type UndoManager, type VivimDocument, type VivimErrorCode, type Warning, type XmlChange, type XmlNode,
} from 'vivim-wasm'
import { VivimProvider, type ProviderStatus, type SyncStatus } from 'vivim-wasm/yjs'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if the value has exactly this type; `any` is never exactly a type. */
function is<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Actual, Expected>): void => undefined
}

is<Promise<void>>()(init(), true)
is<Promise<void>>()(init(new URL('https://example.org/vivim_wasm_bg.wasm')), true)
is<Promise<void>>()(init(fetch('/vivim_wasm_bg.wasm')), true)
is<Promise<void>>()(whole(), true)
is<Promise<void>>()(init(new Uint8Array()), true)

const config: NodeConfig = {
  nodeType: 'client',
  bootstrapPeers: ['/ip4/127.0.0.1/tcp/9000/ws/p2p/12D3KooW'],
  enableWebRTC: true,
  enableDHT: true,
  enableGossipsub: true,
  minConnections: 5,
  maxConnections: 50,
  iceServers: [{ urls: 'stun:localhost:3478' }, { urls: ['turn:localhost'], username: 'a', credential: 'b' }],
  privateKey: new Uint8Array(32),
  logLevel: 'error',
}
const node = new NetworkNode(config)
new NetworkNode()
// @ts-expect-error a relay's address is a string
new NetworkNode({ bootstrapPeers: [1] })

is<Promise<void>>()(node.start(), true)
is<Promise<void>>()(node.stop(), true)
is<boolean>()(node.started, true)
is<string>()(node.getPeerId(), true)
is<NodeInfo>()(node.getNodeInfo(), true)
is<NodeStatus>()(node.getNodeInfo().status, true)
is<string[]>()(node.getListenAddresses(), true)
is<Connection[]>()(node.getConnections(), true)
is<Promise<string>>()(node.connect('/ip4/127.0.0.1/tcp/9000/ws'), true)
is<Promise<void>>()(node.disconnect('12D3KooW'), true)
is<Promise<void>>()(node.put('key', new Uint8Array()), true)
is<Promise<void>>()(node.put(new Uint8Array(), new Uint8Array()), true)
is<Promise<Uint8Array | undefined>>()(node.get('key'), true)
is<Promise<PeerInfo>>()(node.findPeer('12D3KooW'), true)
is<Promise<void>>()(node.publish('topic', new Uint8Array()), true)
is<void>()(node.subscribe('topic', message => is<PubSubMessage>()(message, true)), true)
is<void>()(node.unsubscribe('topic'), true)
is<Promise<number>>()(node.ping('12D3KooW'), true)
is<Promise<DoctorReport>>()(node.doctor(), true)
is<Promise<Room>>()(node.joinRoom('name'), true)
is<Promise<Stream>>()(node.openStream('12D3KooW', '/echo/1'), true)
is<Promise<() => void>>()(node.handle('/echo/1', async stream => is<Stream>()(stream, true)), true)

const off = node.on('peer:connect', ({ peerId }) => is<string>()(peerId, true))
is<() => void>()(off, true)
node.on('started', detail => is<undefined>()(detail, true))
node.on('status', ({ status }) => is<NodeStatus>()(status, true))
node.on('warning', warning => is<Warning>()(warning, true))
node.on('error', error => is<VivimErrorCode>()(error.code, true))
node.on('peer:discovery', ({ multiaddrs }) => is<string[]>()(multiaddrs, true))
// @ts-expect-error there is no such event
node.on('nothing', () => undefined)

export async function streams(stream: Stream): Promise<void> {
  is<string>()(stream.protocol, true)
  is<string>()(stream.remotePeer, true)
  is<boolean>()(stream.direct, true)
  const writer = stream.writable.getWriter()
  await writer.write(new Uint8Array(3))
  for await (const chunk of stream.readable) is<Uint8Array<ArrayBuffer>>()(chunk, true)
  await stream.closeWrite()
  stream.reset()
}

export async function rooms(room: Room): Promise<void> {
  is<string>()(room.id, true)
  is<string>()(room.name, true)
  is<NodeStatus>()(room.status, true)
  is<boolean>()(room.joined, true)
  is<RoomPeer[]>()(room.peers(), true)
  const off = room.on('peers', peers => is<RoomPeer[]>()(peers, true))
  is<() => void>()(off, true)
  room.on('peer:join', ({ peerId }) => is<string>()(peerId, true))
  room.on('peer:leave', ({ peerId }) => is<string>()(peerId, true))
  room.on('status', ({ status }) => is<NodeStatus>()(status, true))
  is<Promise<void>>()(room.leave(), true)

  const document = room.document()
  is<VivimDocument>()(document, true)
  is<string>()(document.docId, true)
  is<DocText>()(document.text('text'), true)
  is<DocMap>()(document.map('map'), true)
  document.text('text').insert(0, 'hello')
  document.text('text').delete(0, 1)
  is<number>()(document.text('text').length, true)
  is<string>()(document.text('text').toString(), true)
  document.map('map').set('key', { list: [1, 'two', null, true] })
  // @ts-expect-error a map can't hold a function
  document.map('map').set('key', () => undefined)
  is<SharedValue | undefined>()(document.map('map').get('key'), true)
  document.map('map').delete('key')
  is<{ [key: string]: DocValue }>()(document.toJSON(), true)
  is<Uint8Array>()(document.encodeStateVector(), true)
  is<Uint8Array>()(document.encodeStateAsUpdate(document.encodeStateVector()), true)
  document.applyUpdate(new Uint8Array())
  document.on('update', ({ update, local }) => { is<Uint8Array>()(update, true); is<boolean>()(local, true) })
  document.on('synced', ({ peerId }) => is<string>()(peerId, true))
  is<Promise<void>>()(document.close(), true)

  const replica: JsReplica = {
    summary: () => new Uint8Array(), diff: summary => summary, apply: (update, from) => { is<string>()(from, true); void update },
  }
  const attachment = await room.attach('name', replica)
  is<Attachment>()(attachment, true)
  attachment.update(new Uint8Array())
  attachment.awareness(new Uint8Array())
  await attachment.detach()
}

export function shared(document: VivimDocument): void {
  const text = document.text('text')
  is<SharedText>()(text, true)
  text.insert(0, 'x', { bold: true, link: null })
  text.insertEmbed(0, { image: 'x' })
  text.applyDelta([{ insert: 'x', attributes: { bold: true } }, { retain: 1 }, { delete: 1 }])
  // @ts-expect-error an attribute can't be a function
  text.format(0, 1, { bold: () => undefined })
  // @ts-expect-error a step does something
  text.applyDelta([{ attributes: {} }])
  is<TextDelta>()(text.toDelta(), true)
  is<string>()(text.toJSON(), true)
  is<() => void>()(text.on('change', change => is<TextChange>()(change, true)), true)
  text.on('lost', () => undefined)
  // @ts-expect-error there is no such event
  text.on('nothing', () => undefined)

  const map = document.map('map')
  is<SharedMap>()(map, true)
  is<number>()(map.size, true)
  for (const [key, value] of map) { is<string>()(key, true); is<SharedValue>()(value, true) }
  is<SharedMap>()(map.setMap('k', { a: 1 }), true)
  is<SharedArray>()(map.setArray('k', [1]), true)
  is<SharedText>()(map.setText('k', 'x'), true)
  // @ts-expect-error a shared type is made where it lives
  map.set('k', text)
  is<boolean>()(map.has('k'), true)
  is<{ [key: string]: DocValue }>()(map.toJSON(), true)
  map.on('change', change => {
    is<MapChange>()(change, true)
    for (const [key, { action, oldValue }] of change.keys) {
      is<string>()(key, true)
      is<'add' | 'update' | 'delete'>()(action, true)
      is<SharedValue | undefined>()(oldValue, true)
    }
  })
  map.onDeep(change => {
    is<SharedChange>()(change, true)
    is<readonly (string | number)[]>()(change.path, true)
    is<ChangeOrigin>()(change.origin, true)
  })
  const value = map.get('k')
  if (value instanceof SharedMap) is<SharedMap>()(value, true)
  else if (value instanceof SharedText) value.append('x')

  const array = document.array('array')
  is<SharedArray>()(array, true)
  is<SharedValue[]>()([...array], true)
  is<SharedValue | undefined>()(array.at(-1), true)
  is<number>()(array.push(1, 'two', { three: [3] }), true)
  is<number[]>()(array.map((_entry, index) => index), true)
  is<SharedMap>()(array.insertMap(), true)
  array.on('change', change => is<ArrayChange>()(change, true))

  const xml = document.xml('xml')
  is<SharedXmlFragment>()(xml, true)
  const element = xml.insertElement(0, 'p', { class: 'x', level: 2 })
  is<SharedXmlElement>()(element, true)
  is<SharedXmlText>()(element.insertText(0), true)
  for (const node of xml) is<XmlNode>()(node, true)
  xml.on('change', change => is<XmlChange>()(change, true))

  is<number>()(document.change(() => text.length), true)
  const undo = document.undoManager([text, map], { captureTimeout: 0 })
  is<UndoManager>()(undo, true)
  is<boolean>()(undo.undo(), true)
  undo.on('change', ({ canUndo, canRedo }) => { is<boolean>()(canUndo, true); is<boolean>()(canRedo, true) })
  const position: RelativePosition = document.relativePosition(text, 0, 'left')
  const found: AbsolutePosition | undefined = document.absolutePosition(position)
  if (found !== undefined) { is<SharedType>()(found.type, true); is<number>()(found.index, true) }
  is<{ [name: string]: DocValue }>()(document.toJSONAt(document.snapshot()), true)
  // @ts-expect-error shared types come from documents
  new SharedText()
}

export function provider(room: Room): void {
  const doc = new Y.Doc()
  const provider = new VivimProvider(doc, { node, room, name: 'notes', awareness: new Awareness(doc), connect: false })
  new VivimProvider(doc, { node, room: randomRoomName(), broadcastChannel: false })
  is<Awareness>()(provider.awareness, true)
  is<Y.Doc>()(provider.doc, true)
  is<boolean>()(provider.synced, true)
  is<Promise<void>>()(provider.whenSynced, true)
  is<number>()(provider.unsyncedChanges, true)
  is<SyncStatus>()(provider.syncStatus, true)
  is<ProviderStatus>()(provider.status, true)
  provider.on('status', ({ status }) => is<ProviderStatus>()(status, true))
  provider.on('sync', synced => is<boolean>()(synced, true))
  provider.once('synced', synced => is<boolean>()(synced, true))
  provider.on('peers', ({ added, removed, peers }) => {
    is<string[]>()(added, true)
    is<string[]>()(removed, true)
    is<RoomPeer[]>()(peers, true)
  })
  provider.on('unsynced-changes', count => is<number>()(count, true))
  provider.on('sync-status', ({ status }) => is<'green' | 'yellow' | 'red'>()(status, true))
  provider.on('connection-close', (error, from) => { is<VivimError | null>()(error, true); is<VivimProvider>()(from, true) })
  provider.on('connection-error', (error, from) => { is<VivimError>()(error, true); is<VivimProvider>()(from, true) })
  provider.connect()
  provider.disconnect()
  provider.destroy()
}

is<string>()(randomRoomName(), true)
is<string>()(roomLink(new URL('https://example.org'), 'name'), true)
is<string | undefined>()(roomNameFromLink('https://example.org/#name'), true)
export const version: string = VERSION
try {
  await node.start()
} catch (error) {
  if (error instanceof VivimError && error.code === 'STOPPED') console.log(error.message)
  // @ts-expect-error there is no such code
  if (error instanceof VivimError && error.code === 'NOTHING') console.log()
}
