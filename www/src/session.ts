/**
 * One visit to one room: the document, who is here, and the node that connects them. It knows nothing of the screen.
 *
 * Order matters for a quick start: the wasm and the relay's address are asked for at once and side by side, the node
 * starts when both are there, and nothing waits for the editor.
 */

import init, { NetworkNode } from 'vivim-wasm'
import type { DoctorReport, Room } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'

import { best, count } from './network.ts'
import type { Finding, NetworkView, PeerView, Phase } from './network.ts'
import { cleanName, COLORS, describeUser, freeColor, loadProfile, saveName } from './profile.ts'
import type { Profile } from './profile.ts'
import { findRelay } from './relay.ts'
import type { Relay, RelayLookup } from './relay.ts'

/** Milliseconds between looks at the counters while somebody can see them. */
const LOOK_MS = 500

/** Milliseconds between looks in a hidden tab. */
const LOOK_HIDDEN_MS = 5_000

/** Milliseconds without a relay before the page says so; a normal start takes a tenth of it. */
const PATIENCE_MS = 4_000

/** Milliseconds between attempts to learn what is wrong, or whether it still is. */
const DIAGNOSE_MS = 8_000

/** The same while everything works, only not directly. */
const DIAGNOSE_RELAYED_MS = 60_000

const RELOAD = 'Reload the page; the text of this tab is kept.'

/** Warnings about the browser or the way the page is served, which last as long as the page. */
const LIMITATIONS = new Set(['INSECURE_CONTEXT', 'STORAGE_UNAVAILABLE', 'WEBRTC_UNAVAILABLE'])

/** Somebody in the room, as they describe themselves. */
export interface Person extends Profile {
  readonly clientId: number
  readonly me: boolean
}

/** The objects behind the page, for the console and for tests: `window.vivim`. */
export interface Debug {
  node: NetworkNode | undefined
  room: Room | undefined
  provider: VivimProvider | undefined
  readonly ydoc: Y.Doc
}

/** See the module. */
export class Session {
  readonly ydoc = new Y.Doc()
  readonly text = this.ydoc.getText('text')
  readonly awareness = new Awareness(this.ydoc)
  readonly debug: Debug = { node: undefined, room: undefined, provider: undefined, ydoc: this.ydoc }

  #profile = loadProfile()
  #phase: Phase = 'starting'
  #relay: Relay | undefined
  #findings: readonly Finding[] = []
  #limitations: readonly Finding[] = []
  #crashed = false
  #relayLostAt: number | undefined = performance.now()
  #relayedSince: number | undefined
  #diagnosedAt = -Infinity
  #diagnosing = false
  #members: ReadonlyMap<string, PeerView> = new Map()
  #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #wasm: Promise<void> | undefined

  constructor(readonly roomName: string) {
    this.#introduce()
    this.awareness.on('change', () => {
      this.#settleColor()
      this.#changed()
    })
    addEventListener('online', () => {
      // A running node notices by itself; a page that was opened offline has none yet.
      if (this.debug.node === undefined) void this.retry()
    })
  }

  get profile(): Profile {
    return this.#profile
  }

  /** Calls back after every change of what `view()` and `people()` return. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Starts, or starts again after a failure. Never rejects: what goes wrong is in the view. */
  async start(): Promise<void> {
    this.#wasm ??= init()
    const wasm = this.#wasm.then(
      () => undefined,
      (error: unknown) => error ?? new Error('unknown'),
    )
    this.#look()
    const lookup = await findRelay(location)
    if (!lookup.found) return this.#withoutRelay(lookup)
    const broken = await wasm
    if (broken !== undefined) {
      this.#wasm = undefined
      return this.#fail('wasm', broken, 'Try a current Firefox, Chrome or Safari, or reload the page.')
    }
    try {
      await this.#run(lookup.relay)
    } catch (error) {
      this.#fail(code(error), error, RELOAD)
    }
  }

  /** Looks for the relay again, now. */
  async retry(): Promise<void> {
    this.#diagnosedAt = -Infinity
    if (this.debug.node === undefined) {
      this.#phase = 'starting'
      this.#findings = []
      this.#changed()
      await this.start()
    } else {
      await this.#diagnose()
    }
  }

  /** Changes the writer's name, for now and for later visits. */
  rename(value: string): void {
    const name = cleanName(value)
    if (name === undefined || name === this.#profile.name) return
    this.#profile = { ...this.#profile, name }
    saveName(this.#profile)
    this.#introduce()
  }

  /** Everybody here, the writer first. */
  people(): Person[] {
    const people: Person[] = []
    for (const [clientId, state] of this.awareness.getStates()) {
      const user: unknown = state['user']
      people.push({ clientId, me: clientId === this.ydoc.clientID, ...describeUser(user, clientId) })
    }
    return people.sort((a, b) => Number(b.me) - Number(a.me) || a.clientId - b.clientId)
  }

  /** The network now. */
  view(): NetworkView {
    const { provider } = this.debug
    const connections = this.#ask(({ node }) => node?.getConnections()) ?? []
    const relayIds = new Set(this.#relay?.peerIds)
    const relay = best(connections.filter(({ peerId, relay }) => relay || relayIds.has(peerId)))
    const users = new Map<string, Profile>()
    for (const [clientId, state] of this.awareness.getStates()) {
      const peerId: unknown = state['peerId']
      if (typeof peerId === 'string') users.set(peerId, describeUser(state['user'], clientId))
    }
    const members = this.#ask(({ room }) => room?.peers()) ?? []
    const peers = members.map(({ peerId }): PeerView => {
      const own = connections.filter((connection) => connection.peerId === peerId)
      const used = best(own)
      const known = this.#members.get(peerId)
      const user = users.get(peerId) ?? known ?? { name: `Peer ${peerId.slice(-4)}`, color: '#6b7280' }
      return {
        peerId,
        name: user.name,
        color: user.color,
        path: used === undefined ? 'none' : used.direct ? 'direct' : 'relayed',
        transport: used?.transport ?? '',
        rtt: used?.rtt,
        sent: count(known?.sent, sum(own.map((connection) => connection.bytesSent))),
        received: count(known?.received, sum(own.map((connection) => connection.bytesReceived))),
      }
    })
    // A member out of reach keeps its name and its counters here; one that left is forgotten.
    this.#members = new Map(peers.map((peer) => [peer.peerId, peer]))
    return {
      phase: this.#phase,
      online: navigator.onLine,
      unreachable: this.#unreachable(),
      synced: provider?.synced ?? false,
      relay: { connected: relay !== undefined, rtt: relay?.rtt },
      peers: peers.sort((a, b) => (a.peerId < b.peerId ? -1 : 1)),
      findings: this.#findings,
      limitations: this.#limitations,
    }
  }

  /** What the node says, or nothing when it has crashed: the page must go on even then. */
  #ask<T>(question: (debug: Debug) => T): T | undefined {
    if (this.#crashed) return undefined
    try {
      return question(this.debug)
    } catch (error) {
      this.#crash(error)
      return undefined
    }
  }

  #crash(error: unknown): void {
    this.#crashed = true
    // Listeners ask for the view, and the view may be what found out.
    queueMicrotask(() => this.#fail(code(error), error, RELOAD))
  }

  async #run(relay: Relay): Promise<void> {
    this.#relay = relay
    const node = new NetworkNode({
      nodeType: 'client',
      bootstrapPeers: [...relay.addresses],
      enableWebRTC: true,
      enableDHT: false, // The relay's room directory finds the others; this page looks nothing else up.
      enableGossipsub: true,
      iceServers: [...relay.iceServers],
    })
    this.debug.node = node
    for (const event of ['connection', 'status', 'peer:connect', 'peer:disconnect'] as const) {
      node.on(event, () => this.#changed())
    }
    node.on('warning', ({ code, message }) => this.#limit(code, message))
    node.on('error', (error) => {
      if (error.code === 'PANICKED') this.#crash(error)
      else console.warn(error)
    })
    await node.start()
    // The others match a line of their picture with a name through this.
    this.awareness.setLocalStateField('peerId', node.getPeerId())
    const room = await node.joinRoom(this.roomName)
    this.debug.room = room
    room.on('peers', () => this.#changed())
    const provider = new VivimProvider(this.ydoc, { node, room, awareness: this.awareness })
    provider.on('synced', () => this.#changed())
    provider.on('connection-error', (error) => this.#fail(error.code, error, RELOAD))
    this.debug.provider = provider
    this.#phase = 'running'
    this.#changed()
  }

  #withoutRelay(lookup: Extract<RelayLookup, { found: false }>): void {
    this.#phase = 'no-relay'
    this.#diagnosedAt = performance.now()
    this.#findings = [
      lookup.reason === 'unusable'
        ? {
            code: 'relay-unusable',
            message: `The relay’s address can’t be used from this page: ${lookup.detail}.`,
            hint: 'Start the relay with --announce and an address this browser can reach; a page opened over https needs wss.',
          }
        : {
            code: 'relay-missing',
            message: `The server of this page doesn’t say where the relay is: ${lookup.detail}.`,
            hint: 'Open the page from the relay itself (cargo xtask demo, or vivim-relay on port 8080), or add ?relay=<its multiaddr> to the address.',
          },
    ]
    this.#changed()
  }

  /** Notes what this browser can't do. What the network can't do at the moment is the doctor's subject. */
  #limit(code: string, message: string): void {
    if (!LIMITATIONS.has(code) || this.#limitations.some((known) => known.code === code)) return
    this.#limitations = [...this.#limitations, { code, message, hint: '' }]
    this.#changed()
  }

  #fail(problem: string, error: unknown, hint: string): void {
    console.error(error)
    this.#phase = 'failed'
    this.#findings = [{ code: problem, message: error instanceof Error ? error.message : String(error), hint }]
    this.#changed()
  }

  #unreachable(): boolean {
    return this.#relayLostAt !== undefined && performance.now() - this.#relayLostAt > PATIENCE_MS
  }

  /** Looks at the node every so often: counters and round-trip times change without an event. */
  #look(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    const view = this.view()
    this.#relayLostAt = view.relay.connected ? undefined : (this.#relayLostAt ?? now)
    const relayed = view.peers.some((peer) => peer.path === 'relayed')
    this.#relayedSince = relayed ? (this.#relayedSince ?? now) : undefined
    if (this.#phase === 'running' && view.relay.connected && !relayed) this.#findings = []

    const stuckRelayed = this.#relayedSince !== undefined && now - this.#relayedSince > PATIENCE_MS
    const away = this.#phase === 'no-relay' || view.unreachable
    const pause = away ? DIAGNOSE_MS : DIAGNOSE_RELAYED_MS
    if (view.online && (away || stuckRelayed) && now - this.#diagnosedAt > pause) void this.#diagnose()

    this.#changed()
    this.#timer = setTimeout(() => this.#look(), document.hidden ? LOOK_HIDDEN_MS : LOOK_MS)
  }

  /** Asks the node what is wrong, and the page's server whether the relay has moved. */
  async #diagnose(): Promise<void> {
    if (this.#diagnosing) return
    this.#diagnosing = true
    this.#diagnosedAt = performance.now()
    try {
      const { node } = this.debug
      if (node === undefined) {
        if (this.#phase === 'no-relay') await this.start()
        return
      }
      // The server first: if it answers again, the relay beside it does too, and is worth a try at once.
      const lookup = await findRelay(location)
      if (lookup.found && this.#isElsewhere(lookup.relay)) return await this.#move(lookup.relay)
      const [address] = this.#relay?.addresses ?? []
      if (lookup.found && this.#relayLostAt !== undefined && address !== undefined) {
        await node.connect(address).catch(() => undefined) // The doctor says why, better than this error.
      }
      this.#findings = worth(await node.doctor())
    } catch (error) {
      console.warn('Looking for the cause failed', error)
    } finally {
      this.#diagnosing = false
      this.#changed()
    }
  }

  /** Whether the relay is lost and its server now names another one. A direct connection is not given up for it. */
  #isElsewhere(relay: Relay): boolean {
    const { peers, relay: old } = this.view()
    const known = new Set(this.#relay?.addresses)
    return !old.connected && relay.addresses.every((address) => !known.has(address)) && !peers.some(isReached)
  }

  async #move(relay: Relay): Promise<void> {
    const { node, provider } = this.debug
    this.debug.node = this.debug.room = this.debug.provider = undefined
    provider?.destroy()
    await node?.stop()
    this.#introduce()
    this.#relayLostAt = performance.now()
    await this.#run(relay)
  }

  #introduce(): void {
    const { name, color } = this.#profile
    this.awareness.setLocalStateField('user', { name, color, colorLight: `${color}33` })
  }

  /** Two people of one colour can't be told apart: the one who came with the larger id takes another. */
  #settleColor(): void {
    const others = this.people().filter((person) => !person.me)
    const clash = others.some(
      (person) => person.color === this.#profile.color && person.clientId < this.ydoc.clientID,
    )
    if (!clash || others.length >= COLORS.length) return
    this.#profile = { ...this.#profile, color: freeColor(new Set(others.map((person) => person.color))) }
    this.#introduce()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** What of a report to show: when something is broken, that, and not also what could be better. */
function worth({ findings }: DoctorReport): Finding[] {
  const errors = findings.filter((finding) => finding.severity === 'error')
  const shown = errors.length > 0 ? errors : findings.filter((finding) => finding.severity === 'warning')
  return shown.map(({ code, message, hint }) => ({ code, message, hint }))
}

function isReached(peer: PeerView): boolean {
  return peer.path !== 'none'
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function code(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown'
}
