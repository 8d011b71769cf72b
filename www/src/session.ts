/**
 * One visit: the node, the room that is open, its document, and who is here. It knows nothing of the screen.
 *
 * Order matters for a quick start: the wasm and the relay's address are asked for at once and side by side. A
 * document opens from this device's storage as soon as the wasm is there; if the relay of the last visit isn't the
 * one that the server names, the node is replaced by another one later.
 */

import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'
import type { DoctorReport, Room, SharedText, VivimDocument } from 'vivim-wasm'

import { describeKeeping } from './keeping.ts'
import type { Keeping, Storage } from './keeping.ts'
import { best, count } from './network.ts'
import type { Finding, NetworkView, PeerView, Phase } from './network.ts'
import { cleanName, COLORS, describeUser, freeColor, loadProfile, saveName } from './profile.ts'
import type { Profile } from './profile.ts'
import { findRelay, rememberedRelay, rememberRelay } from './relay.ts'
import type { Relay, RelayLookup } from './relay.ts'
import { listRooms, readNotes, titleOf, writeNote } from './rooms.ts'
import type { RoomEntry } from './rooms.ts'

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

const RELOAD = 'Reload the page; the text is saved on this device.'

/** Warnings about this browser or the way the page is served, which last as long as the page. */
const LIMITATIONS = new Set([
  ...['INSECURE_CONTEXT', 'WEBRTC_UNAVAILABLE', 'STORAGE_UNAVAILABLE', 'STORAGE_EVICTED'],
  ...['REFUSED', 'DAMAGED'], // Of this page's own.
])

/** Milliseconds that a first visit waits for the relay's address before it opens the text without one. */
const FIRST_LOOKUP_MS = 1_500

/** Milliseconds that something may take to become durable before the page says that it is being saved. */
const SAVING_MS = 400

/** Milliseconds between a change and its being noted in the list of texts. */
const NOTE_MS = 500

/** Somebody in the room, as they describe themselves. */
export interface Person extends Profile {
  readonly clientId: number
  readonly me: boolean
}

/** The objects behind the page, for the console and for tests: `window.vivim`. All are undefined until they exist. */
export interface Debug {
  node: NetworkNode | undefined
  room: Room | undefined
  service: CRDTSyncService | undefined
  document: VivimDocument | undefined
  readonly text: SharedText | undefined
}

/** See the module. */
export class Session {
  readonly debug: Debug = {
    node: undefined,
    room: undefined,
    service: undefined,
    document: undefined,
    get text() {
      return this.document?.text('text')
    },
  }

  #roomName: string
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
  #documentListeners = new Set<(document: VivimDocument | undefined) => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #wasm: Promise<void> | undefined
  #loaded = false
  #storage: Storage = 'kept'
  #savingSince: number | undefined
  #noting: ReturnType<typeof setTimeout> | undefined
  /** What was asked of the node and the document last; they change one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(roomName: string) {
    this.#roomName = roomName
    addEventListener('online', () => {
      // A running node notices by itself; one without a relay has to be given it.
      if (this.#phase === 'no-relay') void this.retry()
    })
    addEventListener('pagehide', () => this.#note())
  }

  get profile(): Profile {
    return this.#profile
  }

  /** The room that is open. */
  get roomName(): string {
    return this.#roomName
  }

  /** Calls back after every change of what the methods below return. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Calls back with the document that is open: now, and whenever it is another. */
  onDocument(listener: (document: VivimDocument | undefined) => void): void {
    this.#documentListeners.add(listener)
    listener(this.debug.document)
  }

  /** Starts, or starts again after a failure. Never rejects: what goes wrong is in the view. */
  async start(): Promise<void> {
    this.#wasm ??= init()
    const wasm = this.#wasm.then(
      () => undefined,
      (error: unknown) => error ?? new Error('unknown'),
    )
    this.#look()
    const looking = findRelay(location)
    const broken = await wasm
    if (broken !== undefined) {
      this.#wasm = undefined
      return this.#fail('wasm', broken, 'Try a current Firefox, Chrome or Safari, or reload the page.')
    }
    try {
      let relay = rememberedRelay(location)
      if (relay === undefined) {
        const first = await Promise.race([looking, pause(FIRST_LOOKUP_MS)])
        if (first?.found === true) relay = first.relay
      }
      await this.#inTurn(async () => {
        await this.#close()
        await this.#run(relay)
      })
      this.#heard(await looking)
    } catch (error) {
      this.#fail(code(error), error, RELOAD)
    }
  }

  /** Opens another room in the place of this one. */
  async visit(roomName: string): Promise<void> {
    if (roomName === this.#roomName) return
    this.#note()
    this.#roomName = roomName
    await this.#inTurn(async () => {
      if (this.#roomName !== roomName) return // Another one was asked for meanwhile.
      await this.#leaveRoom()
      await this.#openRoom()
    }).catch((error: unknown) => this.#fail(code(error), error, RELOAD))
  }

  /** The texts on this device. */
  async rooms(): Promise<RoomEntry[]> {
    this.#note()
    const kept = (await this.debug.service?.listDocuments().catch(() => undefined)) ?? []
    return listRooms(kept, readNotes(), this.#roomName)
  }

  /** Removes a text from this device; others keep theirs. Not the one that is open. */
  async forget(roomName: string): Promise<void> {
    if (roomName === this.#roomName) return
    writeNote(roomName, undefined)
    await this.debug.service?.deleteDocument(roomName)
  }

  /** The document has not taken what was typed. */
  refused(error: unknown): void {
    this.#limit('REFUSED', `The last change was taken back: ${error instanceof Error ? error.message : String(error)}.`)
  }

  /** Looks for the relay again, now. */
  async retry(): Promise<void> {
    this.#diagnosedAt = -Infinity
    if (this.#phase === 'failed') {
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
    const awareness = this.debug.document?.awareness
    const people: Person[] = []
    for (const [clientId, state] of this.#states()) {
      people.push({ clientId, me: clientId === awareness?.clientID, ...describeUser(state['user'], clientId) })
    }
    if (!people.some((person) => person.me)) people.push({ clientId: 0, me: true, ...this.#profile })
    return people.sort((a, b) => Number(b.me) - Number(a.me) || a.clientId - b.clientId)
  }

  /** Where the changes made here have got. */
  keeping(): Keeping {
    const nothing = { local: 0, durable: 0, unsynced: 0, stored: 0, peers: [] }
    const receipts = this.#ask(({ document }) => document?.receipts()) ?? nothing
    const { local, durable, unsynced } = receipts
    const now = performance.now()
    this.#savingSince = durable < local ? (this.#savingSince ?? now) : undefined
    const nameOf = (peerId: string): string => this.#members.get(peerId)?.name ?? 'Someone'
    const there = receipts.peers.filter((peer) => peer.open)
    return describeKeeping({
      loaded: this.#loaded,
      storage: this.#storage,
      saving: this.#savingSince !== undefined && now - this.#savingSince > SAVING_MS,
      local,
      unsynced,
      with: there.filter((peer) => peer.applied >= local).map((peer) => nameOf(peer.peerId)),
      storedBy: there.filter((peer) => peer.stored >= local).map((peer) => nameOf(peer.peerId)),
      storedElsewhere: receipts.stored > 0,
    })
  }

  #states(): Map<number, Record<string, unknown>> {
    return this.#ask(({ document }) => document?.awareness.getStates()) ?? new Map()
  }

  /** The network now. */
  view(): NetworkView {
    const connections = this.#ask(({ node }) => node?.getConnections()) ?? []
    const relayIds = new Set(this.#relay?.peerIds)
    const relay = best(connections.filter(({ peerId, relay }) => relay || relayIds.has(peerId)))
    const users = new Map<string, Profile>()
    for (const [clientId, state] of this.#states()) {
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
      synced: this.debug.document?.synced ?? false,
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

  // One after the other --------------------------------------------------------------------------

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Opens everything; without a relay the node isn't started, and the document is this device's alone. */
  async #run(relay: Relay | undefined): Promise<void> {
    this.#relay = relay
    const node = new NetworkNode({
      nodeType: 'client',
      bootstrapPeers: [...(relay?.addresses ?? [])],
      enableWebRTC: true,
      enableDHT: false, // The relay's room directory finds the others; this page looks nothing else up.
      enableGossipsub: true,
      iceServers: [...(relay?.iceServers ?? [])],
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
    this.debug.service = new CRDTSyncService({ node })
    this.#openDocument()
    if (relay === undefined) return
    await node.start()
    await this.#joinRoom()
    this.#phase = 'running'
    this.#changed()
  }

  async #openRoom(): Promise<void> {
    this.#openDocument()
    if (this.debug.node?.started === true) await this.#joinRoom()
  }

  /** Opens the document of this room from storage; the service exchanges it when it can. */
  #openDocument(): void {
    const { service } = this.debug
    if (service === undefined) return
    const document = service.createDocument(this.#roomName)
    this.#loaded = false
    this.#storage = typeof indexedDB === 'undefined' ? 'none' : 'kept'
    const changed = (): void => this.#changed()
    for (const event of ['status', 'receipts', 'synced', 'peers'] as const) document.on(event, changed)
    document.on('awareness', () => {
      this.#settleColor()
      this.#changed()
    })
    document.on('storage', (event) => {
      if (event.type === 'failed') this.#storage = 'failed'
      if (event.type === 'recovered') this.#storage = 'kept'
      if (event.type === 'deleted') this.#storage = 'deleted'
      if (event.type === 'damaged') {
        this.#limit('DAMAGED', 'a part of this text could not be read here; whoever else has it is asked for it')
      }
      this.#changed()
    })
    const text = document.text('text')
    const note = (): void => {
      this.#noting ??= setTimeout(() => this.#note(), NOTE_MS)
      this.#changed()
    }
    text.on('change', note)
    text.on('lost', note)
    void document.loaded.then(() => {
      if (this.debug.document !== document) return
      this.#loaded = true
      note()
    })
    this.debug.document = document
    this.#introduce()
    for (const listener of this.#documentListeners) listener(document)
    this.#changed()
  }

  async #joinRoom(): Promise<void> {
    const { node } = this.debug
    if (node === undefined) return
    // The others match a line of their picture with a name through this.
    this.debug.document?.awareness.setLocalStateField('peerId', node.getPeerId())
    const room = await node.joinRoom(this.#roomName)
    this.debug.room = room
    room.on('peers', () => this.#changed())
    this.#changed()
  }

  /** Closes the document, which is durable then, and leaves its room. */
  async #leaveRoom(): Promise<void> {
    const { service, document, room } = this.debug
    this.debug.document = this.debug.room = undefined
    for (const listener of this.#documentListeners) listener(undefined)
    if (document !== undefined) await service?.destroyDocument(document.roomName)
    await room?.leave()
    this.#members = new Map()
  }

  /** Closes everything, if there is anything. */
  async #close(): Promise<void> {
    const { node, service } = this.debug
    this.debug.node = this.debug.room = this.debug.service = this.debug.document = undefined
    await service?.destroy()
    await node?.stop()
  }

  /** Another relay: another node, and on it the same document. */
  async #move(relay: Relay): Promise<void> {
    // Where there is no storage, this is all there is of it.
    const state = this.#storage === 'kept' ? undefined : this.debug.document?.encodeStateAsUpdate()
    await this.#close()
    this.#relayLostAt = performance.now()
    const running = this.#run(relay)
    if (state !== undefined) this.debug.document?.applyUpdate(state)
    await running
  }

  /** What the page's server says of the relay. */
  #heard(lookup: RelayLookup): void {
    if (lookup.found) {
      rememberRelay(lookup.relay)
      if (this.#isElsewhere(lookup.relay)) {
        this.#inTurn(() => this.#move(lookup.relay)).catch((error: unknown) => this.#fail(code(error), error, RELOAD))
      }
    } else if (this.#relay === undefined) {
      this.#withoutRelay(lookup)
    }
  }

  /** Notes what this text is called, for the list. */
  #note(): void {
    clearTimeout(this.#noting)
    this.#noting = undefined
    const { document } = this.debug
    if (document === undefined || !this.#loaded || this.#storage === 'deleted') return
    const title = titleOf(document.text('text').toString())
    const unsynced = this.#ask(() => document.unsynced) ?? 0
    writeNote(this.#roomName, { title, unsynced, opened: Date.now() })
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
      // The server first: if it answers again, the relay beside it does too, and is worth a try at once.
      const lookup = await findRelay(location, true)
      this.#heard(lookup)
      if (node === undefined || this.#relay === undefined || this.debug.node !== node) return
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

  #introduce(): void {
    const { name, color } = this.#profile
    this.#ask(({ document }) => document?.awareness.setLocalStateField('user', { name, color }))
    this.#changed()
  }

  /** Two people of one colour can't be told apart: the one who came with the larger id takes another. */
  #settleColor(): void {
    const others = this.people().filter((person) => !person.me)
    const mine = this.debug.document?.awareness.clientID ?? 0
    const clash = others.some((person) => person.color === this.#profile.color && person.clientId < mine)
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

function pause(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined))
}

function code(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown'
}
