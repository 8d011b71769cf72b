// The package in Node: what works without a network, and every refusal by its code.

import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import init, { NetworkNode, randomRoomName, roomLink, roomNameFromLink, VivimError } from 'vivim-wasm'

const DIST = new URL('../dist/', import.meta.url)
const WASM = new URL('../wasm/vivim_wasm_bg.wasm', import.meta.url)
/** Somebody who never runs. */
const NOBODY = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

/** The code that a call is refused with. */
async function refusal(call) {
  try {
    await call()
  } catch (error) {
    assert.ok(error instanceof VivimError, String(error))
    assert.notEqual(error.message, '')
    return error.code
  }
  return 'nothing was refused'
}

// First: the others need it loaded.
test('before init everything says what to do, a failed init can be retried, and it may be called at once from everywhere', async () => {
  assert.equal(await refusal(() => new NetworkNode()), 'NOT_INITIALIZED')
  assert.equal(await refusal(() => init(new Uint8Array([1, 2, 3]))), 'WASM_LOAD')
  assert.equal(await refusal(() => new NetworkNode()), 'NOT_INITIALIZED')
  await Promise.all([init(), init(), init(new Uint8Array())])
  await init()
  new NetworkNode()
})

test('the WebAssembly imports nothing but its own glue', async () => {
  const imports = WebAssembly.Module.imports(await WebAssembly.compile(readFileSync(WASM)))
  const modules = [...new Set(imports.map(({ module }) => module))]
  assert.equal(modules.length, 1)
  assert.match(modules[0], /^glue-[0-9a-f]{12}$/)
})

test('no public type is any', () => {
  for (const file of readdirSync(DIST).filter(name => name.endsWith('.d.ts'))) {
    const code = readFileSync(new URL(file, DIST), 'utf8').replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '')
    assert.doesNotMatch(code, /\bany\b/, file)
  }
})

test('importing the browser entry touches nothing that only browsers have', async () => {
  const entry = await import(fileURLToPath(new URL('index.js', DIST)))
  assert.equal(typeof entry.default, 'function')
})

test('a wrong configuration is refused at once, by name', async () => {
  const refused = async config => refusal(() => new NetworkNode(config))
  assert.equal(await refused({ bootstrapPeers: ['nonsense'] }), 'INVALID_ADDRESS')
  assert.equal(await refused({ bootstrapPeers: ['/ip4/127.0.0.1/tcp/9000/ws'] }), 'INVALID_ADDRESS')
  assert.equal(await refused({ bootstrapPeers: 'nonsense' }), 'INVALID_CONFIG')
  assert.equal(await refused({ nodeType: 'indexer' }), 'INVALID_CONFIG')
  assert.equal(await refused({ maxConnections: 0 }), 'INVALID_CONFIG')
  assert.equal(await refused({ minConnections: 1.5 }), 'INVALID_CONFIG')
  assert.equal(await refused({ enableWebRTC: 'yes' }), 'INVALID_CONFIG')
  assert.equal(await refused({ iceServers: [{ urls: 'http://x' }] }), 'INVALID_CONFIG')
  assert.equal(await refused({ iceServers: [{}] }), 'INVALID_CONFIG')
  assert.equal(await refused({ storePeers: NOBODY }), 'INVALID_CONFIG')
  assert.equal(await refused({ storePeers: ['nobody'] }), 'INVALID_PEER_ID')
  assert.equal(await refused({ privateKey: new Uint8Array(31) }), 'INVALID_KEY')
  assert.equal(await refused({ privateKey: 'secret' }), 'INVALID_CONFIG')
  assert.equal(await refused({ logLevel: 'loud' }), 'INVALID_CONFIG')
})

test('a private key fixes the peer id, and without one each node has its own', () => {
  const privateKey = new Uint8Array(32).fill(1)
  assert.equal(new NetworkNode({ privateKey }).getPeerId(), new NetworkNode({ privateKey }).getPeerId())
  assert.deepEqual(privateKey, new Uint8Array(32).fill(1))
  assert.notEqual(new NetworkNode().getPeerId(), new NetworkNode().getPeerId())
})

test('every call on a stopped node is refused as such', async () => {
  const node = new NetworkNode()
  const calls = [
    () => node.connect('/ip4/127.0.0.1/tcp/9000/ws'), () => node.disconnect(NOBODY), () => node.put('key', new Uint8Array()),
    () => node.get('key'), () => node.findPeer(NOBODY), () => node.subscribe('topic', () => {}), () => node.unsubscribe('topic'),
    () => node.publish('topic', new Uint8Array()), () => node.ping(NOBODY), () => node.openStream(NOBODY, '/x'),
    () => node.handle('/x', () => {}), () => node.joinRoom('room'),
  ]
  for (const call of calls) assert.equal(await refusal(call), 'STOPPED', String(call))
  await node.start()
  await node.stop()
  for (const call of calls) assert.equal(await refusal(call), 'STOPPED', String(call))
  assert.equal(node.getNodeInfo().status, 'offline')
  assert.deepEqual(node.getConnections(), [])
  assert.deepEqual(node.getListenAddresses(), [])
})

test('starting and stopping twice is harmless, and a stopped node starts again under the same id', async () => {
  const node = new NetworkNode()
  const heard = []
  for (const event of ['started', 'stopped']) node.on(event, () => heard.push(event))
  await Promise.all([node.start(), node.start()])
  await node.start()
  const id = node.getPeerId()
  assert.equal(node.getNodeInfo().peerId, id)
  await Promise.all([node.stop(), node.stop()])
  await node.stop()
  await Promise.all([node.start(), node.stop(), node.start()])
  assert.equal(node.getPeerId(), id)
  await node.stop()
  assert.deepEqual(heard, ['started', 'stopped', 'started', 'stopped', 'started', 'stopped'])
})

test('bad arguments are refused by their code, and the node goes on', async () => {
  const node = new NetworkNode()
  await node.start()
  const own = node.getPeerId()
  assert.equal(await refusal(() => node.connect('nonsense')), 'INVALID_ADDRESS')
  assert.equal(await refusal(() => node.connect('/ip4/999.0.0.1/tcp/1/ws')), 'INVALID_ADDRESS')
  assert.equal(await refusal(() => node.connect(7)), 'INVALID_ARGUMENT')
  assert.equal(await refusal(() => node.connect(`/ip4/127.0.0.1/tcp/1/ws/p2p/${own}`)), 'OWN_ADDRESS')
  assert.equal(await refusal(() => node.connect(`/ip4/127.0.0.1/tcp/1/ws/p2p/${NOBODY}`)), 'UNREACHABLE')
  assert.equal(await refusal(() => node.connect(`/ip4/127.0.0.1/udp/1/quic-v1/p2p/${NOBODY}`)), 'UNSUPPORTED_ADDRESS')
  assert.equal(await refusal(() => node.findPeer('nobody')), 'INVALID_PEER_ID')
  assert.equal(await refusal(() => node.openStream(NOBODY, 'no slash')), 'INVALID_PROTOCOL')
  assert.equal(await refusal(() => node.openStream(NOBODY, '/x')), 'NOT_CONNECTED')
  assert.equal(await refusal(() => node.publish('topic', 'text')), 'INVALID_ARGUMENT')
  assert.equal(await refusal(() => node.publish('topic', new Uint8Array(1_000_000))), 'TOO_LARGE')
  assert.equal(await refusal(() => node.put('key', new Uint8Array(1_000_000))), 'TOO_LARGE')
  assert.equal(await refusal(() => node.joinRoom('')), 'INVALID_NAME')
  assert.equal(await refusal(() => node.joinRoom('x'.repeat(100_000))), 'INVALID_NAME')
  const off = await node.handle('/x', () => {})
  assert.equal(await refusal(() => node.handle('/x', () => {})), 'ALREADY_HANDLED')
  off()
  off()
  ;(await node.handle('/x', () => {}))()
  assert.equal(node.getNodeInfo().status === 'offline', false)
  await node.stop()
})

test('handlers that throw hurt nothing, and any method works inside a handler', async t => {
  t.mock.method(console, 'error', () => {})
  const node = new NetworkNode()
  const seen = []
  node.on('started', () => { throw new Error('on purpose') })
  node.on('started', () => {
    seen.push(node.getNodeInfo().peerId, node.getConnections().length)
    node.subscribe('topic', () => {})
    node.unsubscribe('topic')
    node.joinRoom('inside').then(room => seen.push(room.name))
    node.on('status', () => {})()
  })
  await node.start()
  await node.joinRoom('inside')
  assert.deepEqual(seen, [node.getPeerId(), 0, 'inside'])
  await node.stop()
})

test('what the platform lacks is said in warnings, and by the doctor in plain words', async () => {
  const node = new NetworkNode()
  const codes = []
  node.on('warning', ({ code, message }) => { assert.ok(message.length > 20); codes.push(code) })
  await node.start()
  assert.ok(codes.includes('WEBRTC_UNAVAILABLE'))
  assert.equal(codes.includes('WEBSOCKET_UNAVAILABLE'), typeof WebSocket === 'undefined')
  assert.ok(codes.includes('NO_RELAY'))
  const report = await node.doctor()
  assert.equal(report.ok, false)
  assert.ok(report.findings.some(({ code }) => code === 'NO_RELAY_CONFIGURED'))
  assert.ok(report.findings.every(({ message }) => message.length > 10))
  await node.stop()
  assert.ok((await node.doctor()).findings.some(({ code }) => code === 'STOPPED'))
})

test('a room has the id of its name, is one object per name, and ends with leave and with stop', async () => {
  const node = new NetworkNode()
  await node.start()
  const room = await node.joinRoom('caf\u00e9')
  assert.match(room.id, /^[0-9a-f]{64}$/)
  assert.equal((await node.joinRoom('caf\u00e9')), room)
  const [left] = [new Promise(resolve => room.on('left', resolve))]
  await room.leave()
  await left
  assert.equal(room.left, true)
  assert.equal(await refusal(() => room.document()), 'CLOSED')
  // However its accents were typed.
  const again = await node.joinRoom('cafe\u0301')
  assert.equal(again.id, room.id)
  await node.stop()
  assert.equal(again.left, true)
  assert.equal(again.status, 'offline')
  await again.leave()
})

test('room names are random and fit in links, and links keep any name', () => {
  const name = randomRoomName()
  assert.match(name, /^[A-Za-z0-9_-]{22}$/)
  assert.notEqual(name, randomRoomName())
  assert.equal(roomLink('https://example.org/p?q#old', name), `https://example.org/p?q#${name}`)
  for (const odd of ['a b#c/ü%', '🎉']) assert.equal(roomNameFromLink(roomLink('https://example.org', odd)), odd)
  assert.equal(roomNameFromLink('https://example.org/#100%'), '100%')
  assert.equal(roomNameFromLink('https://example.org/'), undefined)
})
