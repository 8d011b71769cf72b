// What a NetworkNode, its rooms and its documents share: the raw node, its life, and the one place
// where its events are handed out.

import type { RawEvent, RawHandler, RawNode, RawRoom } from '../wasm/vivim_wasm.js'
import { VivimDocument } from './document.js'
import { Emitter } from './emitter.js'
import { report, toVivimError, VivimError } from './errors.js'
import { markKept, wasEvicted } from './eviction.js'
import type { Place } from './place.js'
import { missing, watch, type Lifecycle } from './platform.js'
import { Room } from './room.js'
import { call, callAsync, onPanic } from './runtime.js'
import { Stream } from './stream.js'
import type { NodeEvents, NodeStatus, PubSubMessage, StreamHandler, Warning } from './types.js'

interface Handler {
  run: StreamHandler
  raw: RawHandler | undefined
}

const WARNINGS: ReadonlySet<string> = new Set<Warning['code']>([
  'RELAY_UNREACHABLE', 'RESERVATION_REFUSED', 'ROOM_REFUSED', 'SYNC_PROTOCOL', 'UPGRADE_FAILED', 'WEBRTC_UNAVAILABLE',
])

function isWarningCode(code: string): code is Warning['code'] {
  return WARNINGS.has(code)
}

/** What the platform lacks is said at every start. */
export interface Wanted {
  webrtc: boolean
  stored: boolean
  relays: number
}

export class NodeCore implements Lifecycle {
  readonly events = new Emitter<NodeEvents>()
  readonly rooms = new Map<string, Room>()
  /** Attached replicas by document id. */
  readonly places = new Map<string, Place>()
  readonly topics = new Map<string, Set<(message: PubSubMessage) => void>>()
  readonly handlers = new Map<string, Handler>()
  readonly raw: RawNode
  /** The database of this node's documents; undefined if they aren't kept. */
  readonly database: string | undefined
  /** Open documents by their id. */
  readonly documents = new Map<string, VivimDocument>()
  #persisted: Promise<boolean> | undefined
  readonly #wanted: Wanted
  /** Set from `start()` to `stop()`; resolves when the actor runs. */
  #started: Promise<void> | undefined
  #stopping: Promise<void> = Promise.resolve()
  #isStopping = false
  #onStarted: (() => void) | undefined
  /** Events of an earlier run are not this one's. */
  #run = 0
  #suspended = false
  #unwatch: (() => void) | undefined
  #unmourn: (() => void) | undefined
  #lastStatus: NodeStatus = 'offline'

  constructor(raw: RawNode, wanted: Wanted, database: string | undefined) {
    this.raw = raw
    this.database = database
    this.#wanted = wanted
    // Before anything opens the database, which would make a new one.
    if (database !== undefined) this.#checkEviction(database)
  }

  get status(): NodeStatus {
    return this.raw.info()?.status ?? 'offline'
  }

  /** Whether `start()` was called and `stop()` was not. */
  get isWanted(): boolean {
    return this.#started !== undefined
  }

  start(): Promise<void> {
    if (this.#started === undefined) {
      // Only while it is wanted: otherwise no node would ever be forgotten.
      this.#unmourn ??= onPanic(error => this.#die(error))
      // At once, unless the last run has yet to end: what is called next finds the node running.
      const launched = this.#isStopping ? this.#stopping.then(() => this.#launch()) : this.#launch()
      const started = launched.then(() => this.#greet())
      this.#started = started
      started.catch(() => {
        if (this.#started === started) this.#started = undefined
      })
    }
    return this.#started
  }

  stop(): Promise<void> {
    const started = this.#started
    if (started !== undefined) {
      this.#started = undefined
      this.#isStopping = true
      this.#stopping = started.catch(() => undefined).then(() => this.#shut())
    }
    return this.#stopping
  }

  // Lifecycle

  networkChanged(online: boolean): void {
    if (!this.#suspended) call(() => this.raw.networkChanged(online))
  }

  suspend(): void {
    if (this.#started === undefined || this.#suspended) return
    this.#suspended = true
    this.#run += 1
    // Nobody waits for it: the page is going.
    callAsync(() => this.raw.stop()).catch(() => undefined)
  }

  resume(): void {
    if (!this.#suspended) return
    this.#suspended = false
    this.#launch().then(() => this.#restore(), (error: unknown) => this.fail(error))
  }

  /** Something failed that nobody waits for. */
  fail(error: unknown): void {
    this.events.emit('error', toVivimError(error))
  }

  // Documents

  /** The open document of this name in a room, or a fresh opening of it. */
  openDocument(room: RawRoom, roomName: string, name: string, kind = '', kept = true): VivimDocument {
    const docId = call(() => room.docId(name))
    const known = this.documents.get(docId)
    if (known !== undefined) return known
    const raw = call(() => room.document(name, kind, kept))
    const document = VivimDocument.create(this, raw, { room: roomName, name })
    this.documents.set(docId, document)
    return document
  }

  forgetDocument(document: VivimDocument): void {
    if (this.documents.get(document.docId) === document) this.documents.delete(document.docId)
  }

  /** Asks the browser, once, not to evict what is stored; whether it has agreed. */
  persist(): Promise<boolean> {
    if (this.#persisted === undefined && this.database !== undefined) markKept(this.database)
    return (this.#persisted ??= callAsync(() => this.raw.persist()).catch(() => false))
  }

  /** Says so when the browser has deleted what was kept. */
  #checkEviction(database: string): void {
    wasEvicted(database).then(lost => {
      if (!lost) return
      this.events.emit('warning', {
        code: 'STORAGE_EVICTED',
        message: 'the browser has deleted the documents that were kept on this device; they come back from other ' +
          'peers, but what nobody else had is lost. Ask for persistent storage and install the page to make it rarer',
      })
    }, () => undefined)
  }

  /** The answer of {@link persist}; undefined while nothing was stored. */
  get persisted(): Promise<boolean> | undefined {
    return this.#persisted
  }

  // Rooms, topics and protocols

  async joinRoom(name: string): Promise<Room> {
    if (typeof name !== 'string') throw new VivimError('INVALID_NAME', 'the name of a room must be a string')
    // One room, however its accents were typed; the module leaves this to us.
    const raw = call(() => this.raw.room(name.normalize()))
    const known = this.rooms.get(raw.id)
    if (known !== undefined) {
      raw.free()
      await known.whenJoined
      return known
    }
    const room = Room.create(this, raw, name)
    this.rooms.set(room.id, room)
    try {
      await room.join()
    } catch (error) {
      if (this.rooms.get(room.id) === room) this.rooms.delete(room.id)
      throw error
    }
    return room
  }

  async handle(protocol: string, run: StreamHandler): Promise<() => void> {
    if (this.handlers.has(protocol)) {
      throw new VivimError('ALREADY_HANDLED', `a handler for ${protocol} exists already; remove it first`)
    }
    const handler: Handler = { run, raw: undefined }
    this.handlers.set(protocol, handler)
    const remove = (): void => {
      if (this.handlers.get(protocol) !== handler) return
      this.handlers.delete(protocol)
      const { raw } = handler
      if (raw !== undefined) call(() => raw.close())
    }
    try {
      await this.#accept(protocol, handler)
    } catch (error) {
      this.handlers.delete(protocol)
      throw error
    }
    return remove
  }

  async #accept(protocol: string, handler: Handler): Promise<void> {
    const raw = await callAsync(() => this.raw.handle(protocol, rawStream => {
      const stream = Stream.create(rawStream)
      // In a promise, so that a handler that throws at once looks like one that rejects.
      new Promise<void>(resolve => resolve(handler.run(stream))).catch((error: unknown) => {
        stream.reset()
        report(error)
      })
    }))
    handler.raw = raw
    // Removed while it was being set up.
    if (this.handlers.get(protocol) !== handler) raw.close()
  }

  // Life

  #launch(): Promise<void> {
    const run = (this.#run += 1)
    return new Promise((resolve, reject) => {
      this.#onStarted = resolve
      try {
        call(() => this.raw.start(event => {
          if (run === this.#run) this.#dispatch(event)
        }))
      } catch (error) {
        reject(error)
      }
    })
  }

  #greet(): void {
    this.#unwatch ??= watch(this)
    for (const warning of missing(this.#wanted)) this.events.emit('warning', warning)
    if (this.#wanted.relays === 0) {
      this.events.emit('warning', {
        code: 'NO_RELAY',
        message: 'no bootstrapPeers are configured: other peers can neither be found nor reach this node',
      })
    }
  }

  async #shut(): Promise<void> {
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#suspended = false
    try {
      await callAsync(() => this.raw.stop())
    } catch (error) {
      // It has ended by itself: that is what was asked for.
      if (toVivimError(error).code !== 'STOPPED') throw error
    } finally {
      this.#isStopping = false
      this.#end()
    }
  }

  /** Nothing of this run is left. */
  #end(): void {
    this.#run += 1
    // Unless it was started again meanwhile.
    if (this.#started === undefined) {
      this.#unmourn?.()
      this.#unmourn = undefined
    }
    this.topics.clear()
    this.handlers.clear()
    for (const room of [...this.rooms.values()]) room.end()
    this.rooms.clear()
    this.places.clear()
    this.#setStatus('offline')
    this.events.emit('stopped', undefined)
  }

  #setStatus(status: NodeStatus): void {
    if (status === this.#lastStatus) return
    this.#lastStatus = status
    this.events.emit('status', { status })
  }

  #die(error: VivimError): void {
    this.#unwatch?.()
    this.#unwatch = undefined
    this.events.emit('error', error)
  }

  /** Asks the new run for everything that the old one had. */
  #restore(): void {
    const failed = (error: unknown): void => this.fail(error)
    for (const topic of this.topics.keys()) callAsync(() => this.raw.subscribe(topic)).catch(failed)
    for (const [protocol, handler] of this.handlers) this.#accept(protocol, handler).catch(failed)
    for (const room of this.rooms.values()) room.restore().catch(failed)
  }

  #dispatch(event: RawEvent): void {
    switch (event.type) {
      case 'started':
        this.#onStarted?.()
        this.events.emit('started', undefined)
        return
      case 'stopped':
        // Unless it was asked for, which `#shut` deals with.
        if (this.#started !== undefined && !this.#isStopping) {
          this.#started = undefined
          this.#unwatch?.()
          this.#unwatch = undefined
          callAsync(() => this.raw.stop()).catch(() => undefined)
          this.#end()
        }
        return
      case 'peer:discovery':
        this.events.emit('peer:discovery', { peerId: event.peerId, multiaddrs: event.multiaddrs })
        return
      case 'peer:connect':
      case 'peer:disconnect':
        this.events.emit(event.type, { peerId: event.peerId })
        return
      case 'connection':
        this.events.emit('connection', undefined)
        for (const room of this.rooms.values()) room.refresh()
        return
      case 'status':
        this.#setStatus(event.status)
        for (const room of this.rooms.values()) room.refresh()
        return
      case 'message':
        this.#deliver({ topic: event.topic, from: event.from, data: event.data })
        return
      case 'warning':
        this.events.emit('warning', {
          code: isWarningCode(event.code) ? event.code : 'OTHER', message: event.message,
        })
        return
      case 'room:joined':
      case 'room:join':
      case 'room:leave':
      case 'room:peers':
        this.rooms.get(event.roomId)?.dispatch(event)
        return
      case 'replica':
        this.#answer(event)
        return
      case 'doc:acked':
      case 'doc:closed':
      case 'doc:reached':
      case 'doc:synced':
      case 'doc:updated':
        this.places.get(event.docId)?.dispatch(event)
    }
  }

  #answer(event: Extract<RawEvent, { type: 'replica' }>): void {
    const answer = this.places.get(event.docId)?.answer(event)
    call(() => this.raw.respond(event.call, answer?.kind ?? 'closed', answer?.bytes ?? new Uint8Array()))
  }

  #deliver(message: PubSubMessage): void {
    for (const handler of [...(this.topics.get(message.topic) ?? [])]) {
      try {
        handler(message)
      } catch (error) {
        report(error)
      }
    }
  }
}
