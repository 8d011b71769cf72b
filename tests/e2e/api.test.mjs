// The package's API in two Chromium processes, on a page that resolves it by an import map.

import { strict as assert } from 'node:assert'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { NO_WEBRTC_UDP } from '../lib/chromium.mjs'
import { addressOf, ask, failure, openPeer, startPeer } from '../lib/api-page.mjs'
import { serveVivim } from '../lib/build.mjs'
import { newRoom } from '../lib/demo-page.mjs'
import { scenario } from '../lib/scope.mjs'
import { until } from '../lib/wait.mjs'

/** The peer id that js-libp2p derives from a seed of equal bytes. @param {number} byte */
async function peerIdOfSeed(byte) {
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(byte))).toString()
}

/** A peer that never runs. */
const NOBODY = await peerIdOfSeed(99)

/** @param {import('../lib/scope.mjs').Scope} scope */
async function one(scope) {
  const [relay, site, ada] = await Promise.all([scope.relay(), scope.open(serveVivim()), scope.chromium('ada')])
  return { relay, site, ada, a: await startPeer(ada, site.origin, relay.address) }
}

/** @param {import('../lib/scope.mjs').Scope} scope */
async function two(scope) {
  const [{ relay, site, ada, a }, bob] = await Promise.all([one(scope), scope.chromium('bob')])
  return { relay, site, ada, bob, a, b: await startPeer(bob, site.origin, relay.address) }
}

scenario('two peers connect directly by an explicit multiaddr and talk over an application protocol', async (scope) => {
  const { a, b } = await two(scope)
  assert.equal(await ask(a, 'connect', await addressOf(b)), b.id)
  await ask(a, 'direct', b.id)
  assert.equal(await ask(a, 'echoText', b.id, 'hello'), 'hello')
  assert.ok((await ask(a, 'ping', b.id)) >= 0)
  assert.ok(await ask(a, 'transfer', b.id, 1024 * 1024))
  const [connection] = (await ask(a, 'connections', b.id)).filter((/** @type {any} */ entry) => entry.direct)
  assert.equal(connection.transport, 'webrtc')
  assert.ok(connection.bytesSent >= 1024 * 1024, `${connection.bytesSent} bytes counted`)
  await ask(b, 'stop')
  await until('the other side notices the stop', async () => (await ask(a, 'connections', b.id)).length === 0)
})

scenario('connect rejects a malformed address, a wrong peer id and an unreachable peer, each with its code', async (scope) => {
  const { a, relay } = await one(scope)
  assert.equal((await failure(a, `node.connect('not an address')`))?.code, 'INVALID_ADDRESS')
  assert.equal((await failure(a, `node.connect('/ip4/999.0.0.1/tcp/1')`))?.code, 'INVALID_ADDRESS')
  const wrong = relay.address.replace(/\/p2p\/.*$/, `/p2p/${NOBODY}`)
  assert.equal((await failure(a, `node.connect('${wrong}')`))?.code, 'WRONG_PEER')
  const closed = `/ip4/127.0.0.1/tcp/1/ws/p2p/${NOBODY}`
  assert.equal((await failure(a, `node.connect('${closed}')`))?.code, 'UNREACHABLE')
  const absent = `${relay.address}/p2p-circuit/p2p/${NOBODY}`
  assert.equal((await failure(a, `node.connect('${absent}')`))?.code, 'UNREACHABLE')
  assert.equal((await failure(a, `node.connect('${absent.replace('/p2p-circuit', '/p2p-circuit/webrtc')}')`))?.code, 'UNREACHABLE')
  assert.equal((await failure(a, `node.connect('/ip4/127.0.0.1/udp/1/quic-v1/p2p/${NOBODY}')`))?.code, 'UNSUPPORTED_ADDRESS')
  // Nothing of this hurt the node.
  assert.ok((await ask(a, 'circuitAddress'))?.includes('/p2p-circuit'))
})

scenario('calls on a stopped node reject, start and stop twice are harmless, and it starts again', async (scope) => {
  const { a, relay } = await one(scope)
  await a.evaluate(() => window.peer.node.start())
  await a.evaluate(async () => {
    await Promise.all([window.peer.node.stop(), window.peer.node.stop()])
  })
  for (const call of [
    `node.connect('${relay.address}')`,
    `node.joinRoom('x')`,
    `node.publish('x', new Uint8Array(1))`,
    `node.openStream('${NOBODY}', '/x/1')`,
    `node.ping('${NOBODY}')`,
    `node.get('x')`,
  ]) {
    assert.equal((await failure(a, call))?.code, 'STOPPED', call)
  }
  await a.evaluate(() => window.peer.node.start())
  await ask(a, 'reserved')
})

scenario('handlers that throw do not hurt the node, and every method works inside a handler', async (scope) => {
  const { a, b } = await two(scope)
  await a.evaluate(() => {
    const { node } = window.peer
    window.calls = []
    node.on('peer:connect', () => {
      throw new Error('thrown by a handler on purpose')
    })
    node.on('peer:connect', async (/** @type {{ peerId: string }} */ { peerId }) => {
      node.getConnections()
      node.getNodeInfo()
      node.getListenAddresses()
      node.on('status', () => undefined)()
      node.subscribe('inside', () => undefined)
      node.unsubscribe('inside')
      const stream = await node.openStream(peerId, '/vivim-test/echo/1.0.0')
      stream.reset()
      window.calls.push(peerId)
    })
    node.handle('/throws/1.0.0', async () => {
      throw new Error('thrown by a protocol on purpose')
    })
  })
  await ask(b, 'connect', await addressOf(a))
  await a.waitFor('the second handler ran to its end', (id) => window.calls.includes(id), b.id)
  await ask(b, 'direct', a.id)
  await b.evaluate(async (id) => {
    const stream = await window.peer.node.openStream(id, '/throws/1.0.0')
    // It ends in one way or the other.
    await stream.readable.getReader().read().catch(() => undefined)
  }, a.id)
  assert.equal(await ask(b, 'echoText', a.id, 'still here'), 'still here')
})

scenario('going offline and online again is noticed and leads to a reconnect at once', async (scope) => {
  const { a, ada, relay } = await one(scope)
  await relay.kill()
  await ada.context.setOffline(true)
  await a.waitFor('the node says offline', () => window.peer.node.getNodeInfo().status === 'offline')
  await relay.start()
  await ada.context.setOffline(false)
  const begin = Date.now()
  await ask(a, 'reserved')
  assert.ok(Date.now() - begin < 5_000, `it took ${Date.now() - begin} ms`)
})

scenario('the doctor names a missing relay, an unreachable one, and UDP that is blocked', async (scope) => {
  const [relay, site, ada, bob] = await Promise.all([
    scope.relay(),
    scope.open(serveVivim()),
    scope.chromium('ada'),
    scope.chromium('bob', { flags: [NO_WEBRTC_UDP] }),
  ])
  /** @param {import('../lib/chromium.mjs').Tab} tab @returns {Promise<string[]>} */
  const codes = (tab) =>
    tab.evaluate(async () => (await window.peer.node.doctor()).findings.map((/** @type {any} */ found) => found.code))
  const without = await openPeer(ada, site.origin)
  await ask(without, 'start', {})
  assert.ok((await codes(without)).includes('NO_RELAY_CONFIGURED'))
  const lost = await openPeer(ada, site.origin)
  await ask(lost, 'create', [`/ip4/127.0.0.1/tcp/1/ws/p2p/${NOBODY}`])
  await lost.evaluate(() => window.peer.node.start())
  await until('the relay counts as unreachable', async () => (await codes(lost)).includes('RELAY_UNREACHABLE'))
  const blocked = await startPeer(bob, site.origin, relay.address)
  const found = await codes(blocked)
  assert.ok(found.includes('NO_CANDIDATES'), found.join())
  const well = await startPeer(ada, site.origin, relay.address)
  // The relay says what it allows on the stream that rooms need.
  await ask(well, 'joinWithYrs', newRoom())
  const [relayReport] = await until('the relay has told its limits', async () => {
    const report = await well.evaluate(() => window.peer.node.doctor())
    return report.ok && report.relays[0].limits && report.relays
  })
  assert.ok(relayReport.limits.maxCircuitBytes === 0 || relayReport.limits.maxCircuitBytes > 1_000_000)
})

scenario('each tab has its own peer id, all tabs of a profile one device id, and a private key fixes the peer id', async (scope) => {
  const { a, ada, site, relay } = await one(scope)
  const second = await startPeer(ada, site.origin, relay.address)
  /** @param {import('../lib/chromium.mjs').Tab} tab */
  const device = (tab) => tab.evaluate(() => window.peer.node.getNodeInfo().deviceId)
  assert.notEqual(a.id, second.id)
  assert.match(await device(a), /^[0-9a-f]{32}$/)
  assert.equal(await device(a), await device(second))
  await second.evaluate(() => window.peer.create([], { privateKey: new Uint8Array(32).fill(1) }))
  assert.equal(await ask(second, 'peerId'), await peerIdOfSeed(1))
})

scenario('a value put by one peer is found by another through the DHT', async (scope) => {
  const { a, b, relay } = await two(scope)
  await a.evaluate(() => window.peer.node.put('greeting', new TextEncoder().encode('hello')))
  const value = await b.evaluate(async () => new TextDecoder().decode(await window.peer.node.get('greeting')))
  assert.equal(value, 'hello')
  const found = await b.evaluate((id) => window.peer.node.findPeer(id), relay.ready?.peerId)
  assert.equal(found.peerId, relay.ready?.peerId)
  assert.ok(found.protocols.includes('/vivim/kad/1.0.0'), found.protocols.join())
})

scenario('topics carry messages between peers that nobody introduced by hand', async (scope) => {
  const { a, b } = await two(scope)
  await ask(a, 'subscribe', 'news')
  await ask(b, 'subscribe', 'news')
  await until('a message arrives', async () => {
    await ask(a, 'publish', 'news', 'hello').catch(() => undefined)
    return (await ask(b, 'messages', 'news')).includes('hello')
  }, { interval: 200 })
})

scenario('an application with a Y.Doc and one with a document in Rust share a room', async (scope) => {
  const { a, b } = await two(scope)
  const room = newRoom()
  assert.equal(await ask(a, 'joinWithYjs', room), await ask(b, 'joinWithYrs', room))
  await ask(a, 'insert', room, 0, 'from yjs ')
  await b.waitFor('the text of the Y.Doc', (room) => window.peer.text(room) === 'from yjs ', room)
  await ask(b, 'insert', room, -1, 'and yrs 🎉')
  await ask(b, 'setKey', room, 'list', [1, 'two', { three: null }])
  await until('both have both', async () => (await ask(a, 'text', room)) === 'from yjs and yrs 🎉')
  await until('their states are equal', async () => {
    assert.deepEqual(await ask(a, 'state', room), await ask(b, 'state', room))
    return true
  })
  await ask(a, 'leave', room)
  await until('the other side sees it leave', async () => (await ask(b, 'peers', room)).length === 0)
})

scenario('in an insecure context the missing parts are named in a warning and the rest works', async (scope) => {
  // A name that resolves here but is no loopback name: browsers call such a page insecure.
  const flags = ['--host-resolver-rules=MAP vivim.test 127.0.0.1']
  const [relay, site, ada, bob] = await Promise.all([
    scope.relay(),
    scope.open(serveVivim()),
    scope.chromium('ada', { flags }),
    scope.chromium('bob'),
  ])
  const a = await startPeer(ada, site.origin.replace('127.0.0.1', 'vivim.test'), relay.address)
  assert.equal(await a.evaluate(() => window.isSecureContext), false)
  const codes = await a.evaluate(() =>
    window.peer.events.filter((/** @type {any} */ entry) => entry.event === 'warning').map((/** @type {any} */ entry) => entry.detail.code),
  )
  assert.ok(codes.includes('INSECURE_CONTEXT'), codes.join())
  const b = await startPeer(bob, site.origin, relay.address)
  await ask(a, 'connect', await addressOf(b))
  await ask(a, 'direct', b.id)
  assert.equal(await ask(a, 'echoText', b.id, 'insecure but working'), 'insecure but working')
})

scenario('without storage, as in private windows, a warning says so and the rest works', async (scope) => {
  const [relay, site, ada] = await Promise.all([scope.relay(), scope.open(serveVivim()), scope.chromium('ada')])
  await ada.context.addInitScript(() => {
    const refuse = () => {
      throw new DOMException('storage is refused', 'SecurityError')
    }
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
      Object.defineProperty(window, name, { get: refuse, configurable: true })
    }
  })
  const a = await startPeer(ada, site.origin, relay.address)
  const codes = await a.evaluate(() =>
    window.peer.events.filter((/** @type {any} */ entry) => entry.event === 'warning').map((/** @type {any} */ entry) => entry.detail.code),
  )
  assert.ok(codes.includes('STORAGE_UNAVAILABLE'), codes.join())
  assert.match(await a.evaluate(() => window.peer.node.getNodeInfo().deviceId), /^[0-9a-f]{32}$/)
})
