// A provider's exchange with the room, from `connect` to `disconnect`: the replica that the node asks.

import { encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { toVivimError, VivimError } from './errors.js'
import type { NetworkNode } from './network-node.js'
import type { Place } from './place.js'
import type { Room } from './room.js'
import type { JsReplica, RoomPeer } from './types.js'

/** What a link asks of its provider, and tells it. */
export interface LinkHost {
  readonly doc: Y.Doc
  readonly awareness: import('y-protocols/awareness').Awareness
  readonly node: NetworkNode
  readonly name: string
  apply(update: Uint8Array): void
  applyAwareness(update: Uint8Array, from: string): void
  /** All awareness states known here, this device's first; empty if there are none. */
  knownAwareness(): Uint8Array
  renewAwareness(): void
  reached(up: boolean): void
  synced(): void
  /** The next number for what has changed here. */
  nextNumber(): number
  /** A peer has everything up to this number. */
  acked(number: number): void
  peers(change: { added: string[]; removed: string[]; peers: RoomPeer[] }): void
  /** The peers with whom the document is in step have changed. `lost` is in step no more. */
  inStep(lost: string | undefined): void
  failed(link: Link, error: VivimError): void
  ended(link: Link): void
}

function isUp(room: Room): boolean {
  return room.status === 'direct' || room.status === 'relayed' || room.status === 'online'
}

export class Link implements JsReplica {
  room: Room | undefined
  /** Peers that have told us everything, and hear everything from us. */
  readonly inStep = new Set<string>()
  readonly #host: LinkHost
  #place: Place | undefined
  #used = false
  #closed = false
  #peers = new Set<string>()
  #asked = new Set<string>()
  readonly #offs: (() => void)[] = []

  constructor(host: LinkHost) {
    this.#host = host
  }

  open(target: Room | string): void {
    this.#enter(target).catch((error: unknown) => {
      if (this.#closed) return
      this.close()
      this.#host.failed(this, toVivimError(error))
    })
  }

  async #enter(target: Room | string): Promise<void> {
    const room = typeof target === 'string' ? await this.#host.node.useRoom(target) : target
    this.room = room
    this.#used = typeof target === 'string'
    if (this.#closed) return this.#release()
    const refresh = (): void => this.#refresh(room)
    this.#offs.push(room.on('status', refresh), room.on('peers', refresh))
    this.#offs.push(room.on('peer:leave', ({ peerId }) => this.onPeerLost(peerId)))
    this.#offs.push(room.on('left', () => this.#host.ended(this)))
    refresh()
    // Peers of an earlier link may still have our state with this clock, as something that left.
    this.#host.renewAwareness()
    const place = room.openPlace(this.#host.name, this)
    this.#place = place
    place.noteChange(this.#host.nextNumber())
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
    this.farewell()
    place.detach().finally(() => this.#release()).catch(() => undefined)
  }

  /** In a large room nobody has a stream to us whose end would tell that our cursor is gone. */
  farewell(): void {
    const { awareness } = this.#host
    this.#place?.awareness(encodeAwarenessUpdate(awareness, [awareness.clientID], new Map()))
  }

  update(update: Uint8Array): void {
    this.#place?.update(update, this.#host.nextNumber())
  }

  awareness(update: Uint8Array): void {
    this.#place?.awareness(update)
  }

  #refresh(room: Room): void {
    if (this.#closed) return
    const peers = room.peers()
    this.#host.reached(isUp(room) || peers.some(peer => peer.connected))
    const now = new Set(peers.filter(peer => peer.connected).map(peer => peer.peerId))
    const added = [...now].filter(peer => !this.#peers.has(peer))
    const removed = [...this.#peers].filter(peer => !now.has(peer))
    this.#peers = now
    if (added.length > 0 || removed.length > 0) this.#host.peers({ added, removed, peers })
    // Alone: there's nobody to wait for.
    if (room.joined && peers.length === 0 && this.#place !== undefined) this.#host.synced()
  }

  // JsReplica

  summary(): Uint8Array {
    return Y.encodeStateVector(this.#host.doc)
  }

  diff(summary: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#host.doc, summary)
  }

  apply(update: Uint8Array): void {
    this.#host.apply(update)
  }

  applyAwareness(update: Uint8Array, from: string): void {
    this.#host.applyAwareness(update, from)
  }

  encodeAwareness(to: string): Uint8Array {
    // It comes back: it has forgotten our state, and takes it only with a newer clock.
    if (this.#asked.has(to)) this.#host.renewAwareness()
    this.#asked.add(to)
    return this.#host.knownAwareness()
  }

  onSynced(peerId: string): void {
    this.#host.synced()
    if (this.inStep.has(peerId)) return
    this.inStep.add(peerId)
    this.#host.inStep(undefined)
  }

  onReached(_peerId: string, change: number): void {
    this.#host.acked(change)
  }

  onPeerLost(peerId: string): void {
    this.inStep.delete(peerId)
    this.#host.inStep(peerId)
  }

  onClosed(): void {
    this.#host.ended(this)
  }
}
