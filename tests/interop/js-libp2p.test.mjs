// js-libp2p and the package, each in a Chromium of its own, through our relay.

import { strict as assert } from 'node:assert'
import { addressOf, ask, startPeer } from '../lib/api-page.mjs'
import { serveJsLibp2p, serveVivim } from '../lib/build.mjs'
import { scenario } from '../lib/scope.mjs'
import { until } from '../lib/wait.mjs'

const MIB = 1024 * 1024

/** What one side serves to the other as it says in identify. */
const PROTOCOLS = ['/ipfs/id/1.0.0', '/ipfs/ping/1.0.0', '/vivim-test/echo/1.0.0']

/**
 * @param {import('../lib/scope.mjs').Scope} scope
 * @param {() => Promise<any>} serveA
 * @param {() => Promise<any>} serveB
 */
async function pair(scope, serveA, serveB) {
  const [relay, siteA, siteB, one, two] = await Promise.all([
    scope.relay(),
    scope.open(serveA()),
    scope.open(serveB()),
    scope.chromium('one'),
    scope.chromium('two'),
  ])
  const [a, b] = await Promise.all([
    startPeer(one, siteA.origin, relay.address),
    startPeer(two, siteB.origin, relay.address),
  ])
  return { relay, a, b }
}

/**
 * What works on a direct connection, from one side.
 * @param {any} from
 * @param {any} to
 */
async function exchange(from, to) {
  const echo = await ask(from, 'echo', to.id, 20)
  assert.ok(echo.p50 < 1_000, `an echo took ${echo.p50} ms`)
  assert.ok(await ask(from, 'transfer', to.id, MIB), 'bytes came back changed')
  assert.ok((await ask(from, 'push', to.id, MIB)) > 0)
  assert.ok((await ask(from, 'ping', to.id)) >= 0)
}

/**
 * Waits until the side with the given page sees the other directly.
 * @param {any} tab
 * @param {string} peer
 */
async function seesDirectly(tab, peer) {
  await until(`${tab.name} has a direct connection`, async () =>
    (await ask(tab, 'connections', peer)).some((/** @type {any} */ entry) => entry.direct),
  )
}

scenario('js-libp2p dials vivim-wasm over /webrtc: echo, 1 MiB with half-close, ping, identify', async (scope) => {
  const { a: js, b: ours } = await pair(scope, serveJsLibp2p, serveVivim)
  await ask(js, 'dial', await addressOf(ours))
  await seesDirectly(ours, js.id)
  await exchange(js, ours)
  await exchange(ours, js)
  const named = await ask(js, 'identified', ours.id)
  for (const protocol of PROTOCOLS) assert.ok(named.includes(protocol), `${protocol} of ${named}`)
})

scenario('vivim-wasm dials js-libp2p over /webrtc: echo, 1 MiB with half-close, ping, identify', async (scope) => {
  const { a: ours, b: js } = await pair(scope, serveVivim, serveJsLibp2p)
  await ask(ours, 'dial', await addressOf(js))
  await seesDirectly(js, ours.id)
  await exchange(ours, js)
  await exchange(js, ours)
  const { protocols } = await until('identify has told', async () => {
    const info = await ours.evaluate((id) => window.peer.node.findPeer(id), js.id)
    return info.protocols.length > 0 && info
  })
  for (const protocol of PROTOCOLS) assert.ok(protocols.includes(protocol), `${protocol} of ${protocols}`)
})

scenario('gossipsub carries signed messages between js-libp2p and vivim-wasm both ways', async (scope) => {
  const { a: js, b: ours } = await pair(scope, serveJsLibp2p, serveVivim)
  await ask(js, 'dial', await addressOf(ours))
  await seesDirectly(ours, js.id)
  // js-libp2p takes gossip streams on a relayed connection and drops them: what is said while one lingers may be lost.
  await until('the relayed connection has gone', async () =>
    (await ask(js, 'connections', ours.id)).every((/** @type {any} */ entry) => entry.direct),
  )
  // A name without a slash is a topic below /vivim; with a slash it is the topic itself.
  for (const [here, there] of [['news', '/vivim/news'], ['/other/topic', '/other/topic']]) {
    await ask(ours, 'subscribe', here)
    await ask(js, 'subscribe', there)
    await ask(js, 'publish', there, 'from js')
    await until(`ours hears js on ${there}`, async () => (await ask(ours, 'messages', here)).includes('from js'))
    await until('the message is published', () => ask(ours, 'publish', here, 'from ours').then(() => true))
    await until(`js hears ours on ${there}`, async () => (await ask(js, 'messages', there)).includes('from ours'))
  }
})

scenario('js-libp2p reaches js-libp2p through our relay and over /webrtc', async (scope) => {
  const { a, b } = await pair(scope, serveJsLibp2p, serveJsLibp2p)
  await ask(a, 'dial', await addressOf(b))
  await exchange(a, b)
  await exchange(b, a)
  const named = await ask(a, 'identified', b.id)
  for (const protocol of PROTOCOLS) assert.ok(named.includes(protocol), `${protocol} of ${named}`)
})
