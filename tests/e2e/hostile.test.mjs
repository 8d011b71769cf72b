// Bad input from a peer that breaks the rules: each is refused, and the node is usable afterwards.

import { strict as assert } from 'node:assert'
import { addressOf, ask, startPeer } from '../lib/api-page.mjs'
import { serveHostile, serveVivim } from '../lib/build.mjs'
import { scenario } from '../lib/scope.mjs'
import { until } from '../lib/wait.mjs'

/** Streams that one connection may have (`MAX_STREAMS` of vivim-webrtc). */
const STREAMS = 256

/**
 * A victim, an attacker, and a friend who checks the victim's health.
 * @param {import('../lib/scope.mjs').Scope} scope
 */
async function setting(scope) {
  const [relay, ours, theirs, one, two] = await Promise.all([
    scope.relay(),
    scope.open(serveVivim()),
    scope.open(serveHostile()),
    scope.chromium('victim'),
    scope.chromium('attacker'),
  ])
  const victim = await startPeer(one, ours.origin, relay.address)
  const attacker = await startPeer(two, theirs.origin, relay.address)
  const friend = await startPeer(two, ours.origin, relay.address)
  return { relay, victim, attacker, friend }
}

/**
 * The victim takes a new direct connection and a stream on it.
 * @param {{ victim: any, friend: any }} peers
 */
async function stillUsable({ victim, friend }) {
  await ask(friend, 'connect', await addressOf(victim))
  await ask(friend, 'direct', victim.id)
  assert.equal(await ask(friend, 'echoText', victim.id, 'still usable'), 'still usable')
  const trouble = victim.console.filter((/** @type {string} */ line) => /unreachable|panicked|RuntimeError|uncaught/.test(line))
  assert.deepEqual(trouble, [])
}

scenario('bad signaling (64 KiB + 1, candidate before offer, garbage, bad SDP) ends its stream only', async (scope) => {
  const peers = await setting(scope)
  const relayed = `${peers.relay.address}/p2p-circuit/p2p/${peers.victim.id}`
  for (const kind of ['oversized', 'candidate first', 'answer first', 'garbage', 'bad sdp']) {
    const outcome = await ask(peers.attacker, 'signals', relayed, kind)
    assert.match(outcome, /reset|closed|aborted/, kind)
  }
  await stillUsable(peers)
})

scenario('a data-channel frame of 17 KiB ends its stream or the connection, not the node', async (scope) => {
  const peers = await setting(scope)
  await ask(peers.attacker, 'dial', await addressOf(peers.victim))
  assert.match(await ask(peers.attacker, 'sendsFrame', 17 * 1024), /closed|failed|disconnected/)
  await stillUsable(peers)
})

scenario('a peer that opens 1,000 channels is limited, and others are served', async (scope) => {
  const peers = await setting(scope)
  await ask(peers.attacker, 'dial', await addressOf(peers.victim))
  assert.ok((await ask(peers.attacker, 'opensChannels', 1_000)) > STREAMS)
  await until('the channels above the limit are closed', async () => {
    const left = await ask(peers.attacker, 'channelsLeft')
    if (left > STREAMS) throw new Error(`${left} channels are left`)
    return true
  })
  await stillUsable(peers)
})

scenario('a peer that never reads stalls its writer within bounds and hurts nothing else', async (scope) => {
  const { victim, friend } = await setting(scope)
  await victim.evaluate(() => window.peer.node.handle('/never-reads/1.0.0', () => new Promise(() => undefined)))
  await ask(friend, 'connect', await addressOf(victim))
  await ask(friend, 'direct', victim.id)
  await friend.evaluate(async (id) => {
    const stream = await window.peer.node.openStream(id, '/never-reads/1.0.0')
    const writer = stream.writable.getWriter()
    window.flood = { written: 0, ended: '' }
    const chunk = new Uint8Array(64 * 1024)
    const write = async () => {
      for (; window.flood.written < 256 * 1024 * 1024; window.flood.written += chunk.length) {
        await writer.ready
        await writer.write(chunk)
      }
    }
    write().then(() => (window.flood.ended = 'done'), (error) => (window.flood.ended = error.code ?? String(error)))
  }, victim.id)
  let last = -1
  await until('the writer stalls or is refused', async () => {
    const { written, ended } = await friend.evaluate(() => window.flood)
    assert.notEqual(ended, 'done', 'a peer that never reads took 256 MiB')
    const stalled = written === last
    last = written
    return stalled || ended
  }, { interval: 1_000, timeout: 40_000 })
  assert.ok(last < 64 * 1024 * 1024, `${last} bytes were taken`)
  await stillUsable({ victim, friend })
})
