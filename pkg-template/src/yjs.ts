// Binds a Y.Doc to a room. The only file that imports yjs and y-protocols, which are the
// application's own copies: two copies of yjs in one page don't understand each other.

import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { report, toVivimError, VivimError } from './errors.js'
import { NetworkNode } from './network-node.js'
import { Observable } from './observable.js'
import type { Place } from './place.js'
import { Room } from './room.js'
import type { JsReplica, RoomPeer } from './types.js'

export { randomRoomName, roomLink, roomNameFromLink } from './links.js'

export type ProviderStatus = 'connecting' | 'connected' | 'disconnected'

/** What a {@link VivimProvider} needs besides the document. */
export interface ProviderOptions {
  node: NetworkNode
  /** A joined room, or the name of one: then the provider joins and leaves it by itself. */
  room: Room | string
  /** The document's name within the room. Default: `default`. */
  name?: string | undefined
  /** Cursors and names. Default: a new `Awareness` of the document. */
  awareness?: Awareness | undefined
  /** Whether to connect at once. Default: true. */
  connect?: boolean | undefined
}

/** The events of a {@link VivimProvider}, with their handlers' arguments. */
export interface ProviderEvents {
  status: [{ status: ProviderStatus }]
  sync: [boolean]
  synced: [boolean]
  peers: [{ added: string[]; removed: string[]; peers: RoomPeer[] }]
  'connection-error': [VivimError, VivimProvider]
}

interface AwarenessChange {
  added: number[]
  updated: number[]
  removed: number[]
}

/**
 * Keeps a `Y.Doc` in step with everybody in the room who has a document of this name open. The
 * `Y.Doc` is the only copy; other providers, such as y-indexeddb, can work on it at the same time.
 */
export class VivimProvider extends Observable<ProviderEvents> {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly node: NetworkNode
  /** The document's name within the room. */
  readonly name: string
  readonly #roomName: string
  readonly #ownsAwareness: boolean
  #given: Room | undefined
  #link: Link | undefined
  #status: ProviderStatus = 'disconnected'
  #synced = false
  #wanted = false
  #destroyed = false
  #pending: Uint8Array[] = []
  readonly #endNode: () => void

  constructor(doc: Y.Doc, options: ProviderOptions) {
    super()
    const { node, room, name = 'default', awareness, connect = true } = options
    if (!(node instanceof NetworkNode)) throw new VivimError('INVALID_ARGUMENT', 'a provider needs a NetworkNode as node')
    if (typeof room !== 'string' && !(room instanceof Room)) {
      throw new VivimError('INVALID_ARGUMENT', 'a provider needs a Room, or the name of one, as room')
    }
    this.doc = doc
    this.node = node
    this.name = name
    this.#given = typeof room === 'string' ? undefined : room
    this.#roomName = typeof room === 'string' ? room : room.name
    this.#ownsAwareness = awareness === undefined
    this.awareness = awareness ?? new Awareness(doc)
    doc.on('update', this.#onUpdate)
    doc.on('destroy', this.#onDocDestroyed)
    this.awareness.on('update', this.#onAwareness)
    this.#endNode = node.on('started', () => {
      // The room that was given ended with the node's last run.
      if (this.#given?.left === true) this.#given = undefined
      if (this.#wanted && this.#link === undefined) this.#open()
    })
    if (connect) this.connect()
  }

  get status(): ProviderStatus {
    return this.#status
  }

  get connected(): boolean {
    return this.#status === 'connected'
  }

  /**
   * Whether the document has everything that the first peer had, or nobody else was in the room
   * when it was joined. Stays true until the provider is disconnected.
   */
  get synced(): boolean {
    return this.#synced
  }

  /** The room, once it's joined. */
  get room(): Room | undefined {
    return this.#link?.room
  }

  /** Starts the exchange. A node that isn't running is waited for. Harmless while connected. */
  connect(): void {
    if (this.#destroyed || this.#wanted) return
    this.#wanted = true
    this.#setStatus('connecting')
    if (this.node.started) this.#open()
  }

  /** Ends the exchange; `connect()` starts it again. */
  disconnect(): void {
    if (!this.#wanted) return
    this.#wanted = false
    this.#close()
    this.#setStatus('disconnected')
  }

  /** Ends it for good. Called by itself when the document is destroyed. Harmless when repeated. */
  override destroy(): void {
    if (this.#destroyed) return
    this.disconnect()
    this.#destroyed = true
    this.#endNode()
    this.doc.off('update', this.#onUpdate)
    this.doc.off('destroy', this.#onDocDestroyed)
    this.awareness.off('update', this.#onAwareness)
    if (this.#ownsAwareness) this.awareness.destroy()
    super.destroy()
  }

  #open(): void {
    const link = new Link(this, {
      reached: up => this.#setStatus(up ? 'connected' : 'connecting'),
      synced: () => {
        this.#setStatus('connected')
        this.#setSynced(true)
      },
      peers: change => this.emit('peers', [change]),
      failed: error => {
        if (this.#link === link) this.#link = undefined
        // A node that was stopped meanwhile is waited for; anything else is the application's to mend.
        if (error.code !== 'STOPPED') this.#wanted = false
        this.emit('connection-error', [error, this])
        this.#setStatus('disconnected')
      },
      ended: () => {
        if (this.#link !== link) return
        this.#close()
        if (this.#wanted) this.#setStatus('connecting')
      },
    })
    this.#link = link
    link.open(this.#given ?? this.#roomName)
  }

  #close(): void {
    this.#flush()
    const link = this.#link
    this.#link = undefined
    link?.close()
    this.#setSynced(false)
    const others = [...this.awareness.getStates().keys()].filter(client => client !== this.doc.clientID)
    removeAwarenessStates(this.awareness, others, this)
  }

  #setStatus(status: ProviderStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.emit('status', [{ status }])
  }

  #setSynced(synced: boolean): void {
    if (synced === this.#synced) return
    this.#synced = synced
    this.emit('sync', [synced])
    this.emit('synced', [synced])
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
    // What came from the room isn't sent back to it.
    if (origin === this || this.#link === undefined) return
    this.#pending.push(update)
    // All changes of one turn leave as one update.
    if (this.#pending.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const updates = this.#pending
    this.#pending = []
    const [first] = updates
    if (first !== undefined) this.#link?.update(updates.length === 1 ? first : Y.mergeUpdates(updates))
  }

  readonly #onAwareness = ({ added, updated, removed }: AwarenessChange, origin: unknown): void => {
    const own = this.awareness.clientID
    const isOwn = added.includes(own) || updated.includes(own) || removed.includes(own)
    if (origin !== this && isOwn) this.#link?.awareness(encodeAwarenessUpdate(this.awareness, [own]))
  }

  readonly #onDocDestroyed = (): void => this.destroy()
}

function isUp(room: Room): boolean {
  return room.status === 'direct' || room.status === 'relayed' || room.status === 'online'
}

interface LinkEvents {
  reached(up: boolean): void
  synced(): void
  peers(change: ProviderEvents['peers'][0]): void
  failed(error: VivimError): void
  ended(): void
}

/** One connection of a provider, from `connect` to `disconnect`: the replica that the node asks. */
class Link implements JsReplica {
  room: Room | undefined
  readonly #provider: VivimProvider
  readonly #events: LinkEvents
  #place: Place | undefined
  #used = false
  #closed = false
  #peers = new Set<string>()
  #asked = new Set<string>()
  /** Whose awareness state came from whom, so that it goes when the peer goes. */
  readonly #owners = new Map<number, string>()
  readonly #offs: (() => void)[] = []

  constructor(provider: VivimProvider, events: LinkEvents) {
    this.#provider = provider
    this.#events = events
  }

  open(target: Room | string): void {
    this.#enter(target).catch((error: unknown) => {
      if (this.#closed) return
      this.close()
      this.#events.failed(toVivimError(error))
    })
  }

  async #enter(target: Room | string): Promise<void> {
    const room = typeof target === 'string' ? await this.#provider.node.useRoom(target) : target
    this.room = room
    this.#used = typeof target === 'string'
    if (this.#closed) return this.#release()
    const refresh = (): void => this.#refresh(room)
    this.#offs.push(room.on('status', refresh), room.on('peers', refresh))
    this.#offs.push(room.on('peer:leave', ({ peerId }) => this.onPeerLost(peerId)))
    this.#offs.push(room.on('left', () => this.#events.ended()))
    refresh()
    // Peers of an earlier link may still have our state with this clock, as something that left.
    this.#renewAwareness()
    const place = room.openPlace(this.#provider.name, this)
    this.#place = place
    await place.ready
    if (!this.#closed) this.#refresh(room)
  }

  #release(): void {
    if (!this.#used) return
    this.#used = false
    this.room?.unuse().catch(() => undefined)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const off of this.#offs) off()
    const place = this.#place
    if (place === undefined) return this.#release()
    const { awareness } = this.#provider
    // In a large room nobody has a stream to us whose end would tell.
    place.awareness(encodeAwarenessUpdate(awareness, [awareness.clientID], new Map()))
    place.detach().finally(() => this.#release()).catch(() => undefined)
  }

  update(update: Uint8Array): void {
    this.#place?.update(update)
  }

  awareness(update: Uint8Array): void {
    this.#place?.awareness(update)
  }

  #refresh(room: Room): void {
    if (this.#closed) return
    const peers = room.peers()
    this.#events.reached(isUp(room) || peers.some(peer => peer.connected))
    const now = new Set(peers.filter(peer => peer.connected).map(peer => peer.peerId))
    const added = [...now].filter(peer => !this.#peers.has(peer))
    const removed = [...this.#peers].filter(peer => !now.has(peer))
    this.#peers = now
    if (added.length > 0 || removed.length > 0) this.#events.peers({ added, removed, peers })
    // Alone: there's nobody to wait for.
    if (room.joined && peers.length === 0 && this.#place !== undefined) this.#events.synced()
  }

  #renewAwareness(): void {
    const { awareness } = this.#provider
    const state = awareness.getLocalState()
    if (state !== null) awareness.setLocalState(state)
  }

  // JsReplica

  summary(): Uint8Array {
    return Y.encodeStateVector(this.#provider.doc)
  }

  diff(summary: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#provider.doc, summary)
  }

  apply(update: Uint8Array): void {
    try {
      Y.applyUpdate(this.#provider.doc, update, this.#provider)
    } catch (error) {
      // An observer of the application may have thrown after the update was applied: that's no
      // fault of the peer. Bytes that aren't an update throw here again.
      Y.decodeUpdate(update)
      report(error)
    }
  }

  applyAwareness(update: Uint8Array, from: string): void {
    const author = firstClient(update)
    if (author !== undefined && author !== this.#provider.awareness.clientID) this.#owners.set(author, from)
    applyAwarenessUpdate(this.#provider.awareness, update, this.#provider)
  }

  encodeAwareness(to: string): Uint8Array {
    const { awareness } = this.#provider
    // It comes back: it has forgotten our state, and takes it only with a newer clock.
    if (this.#asked.has(to)) this.#renewAwareness()
    this.#asked.add(to)
    const own = awareness.clientID
    const others = [...awareness.getStates().keys()].filter(client => client !== own)
    const clients = awareness.getLocalState() === null ? others : [own, ...others]
    return clients.length === 0 ? new Uint8Array() : encodeAwarenessUpdate(awareness, clients)
  }

  onSynced(): void {
    this.#events.synced()
  }

  onPeerLost(peerId: string): void {
    const clients = [...this.#owners].filter(([, owner]) => owner === peerId).map(([client]) => client)
    for (const client of clients) this.#owners.delete(client)
    removeAwarenessStates(this.#provider.awareness, clients, this.#provider)
  }

  onClosed(): void {
    this.#events.ended()
  }
}

/** Awareness updates begin with their author: a count, then the first client, both as varUint. */
function firstClient(update: Uint8Array): number | undefined {
  const [count, at] = varUint(update, 0)
  return count === 0 ? undefined : varUint(update, at)[0]
}

function varUint(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0
  let scale = 1
  for (;;) {
    const byte = bytes[at++]
    if (byte === undefined || scale > Number.MAX_SAFE_INTEGER) throw new RangeError('not a varUint')
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, at]
    scale *= 128
  }
}
