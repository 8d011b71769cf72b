import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { NetworkView, Path, PeerView } from '../src/network.ts'
import { describe } from '../src/status.ts'

const CALM: NetworkView = {
  phase: 'running',
  online: true,
  unreachable: false,
  synced: true,
  relay: { connected: true, rtt: 3 },
  peers: [],
  findings: [],
  limitations: [],
}

function peer(name: string, path: Path): PeerView {
  const none = { total: 0, open: 0 }
  return { peerId: name, name, color: '#000000', path, transport: '', rtt: 1, sent: none, received: none }
}

function state(view: Partial<NetworkView>): string {
  return describe({ ...CALM, ...view }).state
}

test('a page that has just opened is connecting', () => {
  assert.equal(state({ phase: 'starting', relay: { connected: false, rtt: undefined } }), 'connecting')
})

test('a member nobody has joined is alone, not connected', () => {
  assert.equal(state({}), 'alone')
})

test('a member who is known but not reached is not claimed to be connected', () => {
  assert.equal(state({ peers: [peer('Nora', 'none')] }), 'connecting')
})

test('direct, relayed and mixed are told apart', () => {
  assert.equal(state({ peers: [peer('Nora', 'direct')] }), 'direct')
  assert.equal(state({ peers: [peer('Nora', 'relayed')] }), 'relayed')
  assert.equal(state({ peers: [peer('Nora', 'direct'), peer('Sam', 'relayed')] }), 'mixed')
})

test('a lost relay does not hide a direct connection that works', () => {
  const status = describe({
    ...CALM,
    unreachable: true,
    relay: { connected: false, rtt: undefined },
    peers: [peer('Nora', 'direct')],
  })
  assert.equal(status.state, 'direct')
  assert.equal(status.tone, 'fair')
  assert.match(status.detail, /out of reach/)
})

test('a browser without a network is offline, whatever else is wrong', () => {
  assert.equal(state({ online: false, unreachable: true, relay: { connected: false, rtt: undefined } }), 'offline')
})

test('offline is not claimed while somebody is reached', () => {
  assert.equal(state({ online: false, peers: [peer('Nora', 'direct')] }), 'direct')
})

test('a relay that stays away is said to be missing', () => {
  assert.equal(state({ unreachable: true, relay: { connected: false, rtt: undefined } }), 'no-relay')
  assert.equal(state({ phase: 'no-relay', relay: { connected: false, rtt: undefined } }), 'no-relay')
})

test('a text that is still arriving is not called complete', () => {
  assert.match(describe({ ...CALM, synced: false, peers: [peer('Nora', 'direct')] }).detail, /catching up/)
})
