/** What the status line says. One function of the view, so that it can't drift from the truth piece by piece. */

import type { NetworkView, PeerView } from './network.ts'

/** The states the status line tells apart; tests read them from `data-state`. */
export type State = 'connecting' | 'alone' | 'direct' | 'mixed' | 'relayed' | 'offline' | 'no-relay' | 'failed'

/** How it should look. */
export type Tone = 'busy' | 'good' | 'fair' | 'away' | 'bad'

/** A status, short for the line and in full for whoever wants to know. */
export interface Status {
  readonly state: State
  readonly tone: Tone
  readonly text: string
  readonly detail: string
}

/** Describes the network in words. */
export function describe(view: NetworkView): Status {
  const direct = view.peers.filter((peer) => peer.path === 'direct')
  const relayed = view.peers.filter((peer) => peer.path === 'relayed')
  const reached = direct.length + relayed.length

  if (view.phase === 'failed') {
    return {
      state: 'failed',
      tone: 'bad',
      text: 'Networking unavailable',
      detail: 'You can write, but this browser can’t connect to anybody.',
    }
  }
  if (reached === 0) return unreached(view)

  // Said on top, not instead: a lost relay doesn't touch direct connections.
  const relayLost =
    view.unreachable && !view.relay.connected ? ' The relay is out of reach, so nobody new can join right now.' : ''
  const syncing = view.synced ? '' : ' Still catching up.'

  if (relayed.length === 0) {
    return {
      state: 'direct',
      tone: relayLost === '' ? 'good' : 'fair',
      text: `Direct with ${who(direct)}`,
      detail: `Your words go straight to ${reached === 1 ? 'the other browser' : 'the other browsers'}.${syncing}${relayLost}`,
    }
  }
  if (direct.length === 0) {
    return {
      state: 'relayed',
      tone: 'fair',
      text: `Relayed with ${who(relayed)}`,
      detail: `No direct connection yet, so the relay passes your words on. Everything works, only slower.${syncing}`,
    }
  }
  return {
    state: 'mixed',
    tone: 'fair',
    text: `${direct.length} direct, ${relayed.length} relayed`,
    detail: `${who(relayed)} can’t be reached directly; the relay passes words on.${syncing}${relayLost}`,
  }
}

function unreached(view: NetworkView): Status {
  if (!view.online) {
    return {
      state: 'offline',
      tone: 'away',
      text: 'Offline',
      detail: 'Keep writing. It is saved on this device and reaches the others when you are back.',
    }
  }
  if (view.phase === 'no-relay' || (view.unreachable && !view.relay.connected)) {
    return {
      state: 'no-relay',
      tone: 'away',
      text: 'Offline: no relay',
      detail: 'Keep writing. It is saved on this device and reaches the others later.',
    }
  }
  if (view.phase === 'starting' || !view.relay.connected) {
    return { state: 'connecting', tone: 'busy', text: 'Connecting', detail: 'Looking for the relay.' }
  }
  if (view.peers.length > 0) {
    return {
      state: 'connecting',
      tone: 'busy',
      text: `Connecting to ${who(view.peers)}`,
      detail: 'In the room, and dialling.',
    }
  }
  return {
    state: 'alone',
    tone: 'good',
    text: 'Nobody else here',
    detail: 'Send the link to someone, or open it in another window.',
  }
}

function who(peers: readonly PeerView[]): string {
  const [only] = peers
  if (peers.length === 1 && only !== undefined) return only.name
  return `${peers.length} people`
}
