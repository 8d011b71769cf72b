import type { RawDocument, RawEvent, RawRoom } from '../wasm/vivim_wasm.js'
import type { NodeCore } from './core.js'
import type { VivimDocument } from './document.js'
import { Emitter } from './emitter.js'
import { VivimError } from './errors.js'
import { Place, Turns, type Listener } from './place.js'
import { call, callAsync } from './runtime.js'
import type { Attachment, JsReplica, NodeStatus, RoomEvents, RoomPeer } from './types.js'

type RoomEvent = Extract<RawEvent, { roomId: string }>

/**
 * Who meets: everybody who knows the room's name. Anyone who knows it can read and write, so give
 * rooms names that can't be guessed (`randomRoomName()`).
 */
export class Room {
  /** SHA-256 of the name, in hex: what the relay sees. */
  readonly id: string
  readonly name: string
  readonly #core: NodeCore
  readonly #raw: RawRoom
  readonly #events = new Emitter<RoomEvents>()
  readonly #documents = new Set<VivimDocument>()
  readonly #places = new Set<Place>()
  readonly #turns = new Map<string, Turns>()
  #whenJoined: Promise<void> | undefined
  #confirmed = false
  #status: NodeStatus = 'connecting'
  #left = false
  /** Who uses the room; the last one to go leaves it, unless the application joined it itself. */
  #users = 0
  #kept = false

  private constructor(core: NodeCore, raw: RawRoom, name: string) {
    this.#core = core
    this.#raw = raw
    this.id = raw.id
    this.name = name
  }

  /** @internal */
  static create(core: NodeCore, raw: RawRoom, name: string): Room {
    return new Room(core, raw, name)
  }

  /** Members besides this node, as far as known. */
  peers(): RoomPeer[] {
    return this.#left ? [] : call(() => this.#raw.peers())
  }

  /** How well this node is connected to the room's members. */
  get status(): NodeStatus {
    return this.#status
  }

  /** Whether the room was left; a new one is joined by `joinRoom`. */
  get left(): boolean {
    return this.#left
  }

  /**
   * Whether a relay has confirmed the membership. Until then, and while there's no relay, others
   * can't find this node here.
   */
  get joined(): boolean {
    return this.#confirmed
  }

  /** A shared document, kept by the module itself. The same name gives the same document. */
  document(name = 'default'): VivimDocument {
    this.#check()
    const document = this.#core.openDocument(this.#raw, this.name, name.normalize())
    this.enterDocument(document)
    return document
  }

  /** @internal Exchanges a document here. */
  enterDocument(document: VivimDocument): void {
    if (this.#documents.has(document)) return
    this.#documents.add(document)
    document.on('closed', () => this.#documents.delete(document))
    document.network(this.#core.status !== 'offline')
    document.enter((listener, raw) => this.openPlace(document.name, listener, raw))
    document.ready.catch((error: unknown) => this.#core.fail(error))
  }

  /** @internal Exchanges it no more; it stays open. */
  async exitDocument(document: VivimDocument): Promise<void> {
    if (!this.#documents.delete(document)) return
    document.network(false)
    await document.exit()
  }

  /**
   * Binds a document of the application's own. For a Yjs document, `VivimProvider` of
   * `vivim-wasm/yjs` does this.
   */
  async attach(name: string, replica: JsReplica): Promise<Attachment> {
    this.#check()
    const place = this.openPlace(name, replica)
    await place.ready
    return place
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof RoomEvents>(event: Name, handler: (detail: RoomEvents[Name]) => void): () => void {
    return this.#events.on(event, handler)
  }

  /** Leaves the room and closes its documents here. */
  async leave(): Promise<void> {
    if (this.#left) return
    this.end()
    if (this.#core.rooms.get(this.id) === this) this.#core.rooms.delete(this.id)
    await callAsync(() => this.#raw.leave()).catch((error: unknown) => {
      // Left already, or the node has stopped: that is what was asked for.
      if (!(error instanceof VivimError && (error.code === 'NOT_JOINED' || error.code === 'STOPPED'))) throw error
    })
  }

  #check(): void {
    if (this.#left) throw new VivimError('CLOSED', 'this room was left; join it again')
  }

  /** @internal */
  openPlace(name: string, replica: JsReplica | Listener, document?: RawDocument): Place {
    name = name.normalize()
    let turns = this.#turns.get(name)
    if (turns === undefined) this.#turns.set(name, (turns = new Turns()))
    const attachment = call(() => this.#raw.attachment(name))
    if (document !== undefined) call(() => attachment.bind(document))
    return new Place(this.#core, attachment, replica, turns, this.#places)
  }

  /** @internal */
  get whenJoined(): Promise<void> {
    return this.#whenJoined ?? Promise.resolve()
  }

  /** @internal */
  join(): Promise<void> {
    return (this.#whenJoined = callAsync(() => this.#raw.join()).then(() => this.refresh()))
  }

  /** @internal */
  keep(): this {
    this.#kept = true
    return this
  }

  /** @internal */
  use(): void {
    this.#users += 1
  }

  /** @internal */
  async unuse(): Promise<void> {
    this.#users -= 1
    if (this.#users === 0 && !this.#kept) await this.leave()
  }

  /** @internal */
  async restore(): Promise<void> {
    this.#confirmed = false
    this.refresh()
    await this.join()
    for (const place of this.#places) await place.restore()
  }

  /** @internal */
  end(): void {
    if (this.#left) return
    this.#left = true
    this.#confirmed = false
    for (const place of [...this.#places]) place.end()
    this.#places.clear()
    for (const document of [...this.#documents]) document.leave()
    this.#documents.clear()
    this.refresh()
    this.#events.emit('left', { room: this })
  }

  /** @internal */
  refresh(): void {
    const up = !this.#left && this.#core.status !== 'offline'
    for (const document of this.#documents) document.network(up)
    const status = this.#assess()
    if (status === this.#status) return
    this.#status = status
    this.#events.emit('status', { status })
  }

  #assess(): NodeStatus {
    if (this.#left) return 'offline'
    const peers = this.peers()
    if (peers.some(peer => peer.direct)) return 'direct'
    if (peers.some(peer => peer.connected)) return 'relayed'
    const node = this.#core.status
    if (node === 'offline' || node === 'connecting') return node
    return this.#confirmed ? 'online' : 'connecting'
  }

  /** @internal */
  dispatch(event: RoomEvent): void {
    if (this.#left) return
    switch (event.type) {
      case 'room:joined':
        this.#confirmed = true
        break
      case 'room:join':
        this.#events.emit('peer:join', { peerId: event.peerId })
        break
      case 'room:leave':
        this.#events.emit('peer:leave', { peerId: event.peerId })
        break
      case 'room:peers':
    }
    this.refresh()
    this.#events.emit('peers', this.peers())
  }
}
