import assert from 'node:assert/strict'
import { test } from 'node:test'

import { dialable, fromAnswer } from '../src/relay.ts'

const LOCAL = { hostname: 'localhost', protocol: 'http:' }
const LAN = { hostname: '192.168.1.7', protocol: 'http:' }
const SECURE = { hostname: 'pad.example', protocol: 'https:' }
const ID = '12D3KooWExample'

test('a browser is only given websocket addresses', () => {
  const offered = [`/ip4/127.0.0.1/tcp/9001/p2p/${ID}`, `/ip4/127.0.0.1/tcp/9000/ws/p2p/${ID}`]
  assert.deepEqual(dialable(offered, LOCAL), [offered[1]])
})

test('an address on the host of the page is preferred', () => {
  const offered = [`/ip4/10.0.0.2/tcp/9000/ws/p2p/${ID}`, `/ip4/192.168.1.7/tcp/9000/ws/p2p/${ID}`]
  assert.deepEqual(dialable(offered, LAN), [offered[1]])
})

test('a relay that only names its loopback is looked for on the host of the page', () => {
  assert.deepEqual(dialable([`/ip4/127.0.0.1/tcp/9000/ws/p2p/${ID}`], LAN), [
    `/ip4/192.168.1.7/tcp/9000/ws/p2p/${ID}`,
  ])
  assert.deepEqual(dialable([`/ip4/0.0.0.0/tcp/9000/ws/p2p/${ID}`], { hostname: 'desk.local', protocol: 'http:' }), [
    `/dns/desk.local/tcp/9000/ws/p2p/${ID}`,
  ])
})

test('a secure page is given secure addresses, and plain ones only on loopback', () => {
  const plain = `/dns4/pad.example/tcp/9000/ws/p2p/${ID}`
  const secure = `/dns4/pad.example/tcp/443/wss/p2p/${ID}`
  const tls = `/dns4/pad.example/tcp/443/tls/ws/p2p/${ID}`
  assert.deepEqual(dialable([plain, secure, tls], SECURE), [secure, tls])
  assert.deepEqual(dialable([plain], SECURE), [])
})

test('the answer of a relay becomes addresses, peer ids and ice servers', () => {
  const answer = { multiaddrs: [`/ip4/127.0.0.1/tcp/9000/ws/p2p/${ID}`], stun: ['stun:127.0.0.1:3478'] }
  assert.deepEqual(fromAnswer(answer, LOCAL, 'test'), {
    found: true,
    relay: {
      addresses: answer.multiaddrs,
      peerIds: [ID],
      iceServers: [{ urls: ['stun:127.0.0.1:3478'] }],
    },
  })
})

test('a stun server on loopback is looked for on the host of the page', () => {
  const answer = { multiaddrs: [`/ip4/127.0.0.1/tcp/9000/ws/p2p/${ID}`], stun: ['stun:127.0.0.1:3478'] }
  const lookup = fromAnswer(answer, LAN, 'test')
  assert.ok(lookup.found)
  assert.deepEqual(lookup.relay.iceServers, [{ urls: ['stun:192.168.1.7:3478'] }])
})

test('an answer of any shape is refused without throwing', () => {
  for (const answer of [null, 7, 'x', [], {}, { multiaddrs: 'x' }, { multiaddrs: [1, null] }, { stun: [{}] }]) {
    assert.equal(fromAnswer(answer, LOCAL, 'test').found, false)
  }
})
