import type { RawDocument, RawDocumentEvent, RawReceipts } from '../wasm/vivim_wasm.js'
import { DocumentAwareness, type AwarenessChange } from './awareness.js'
import type { NodeCore } from './core.js'
import { DocumentTabs } from './document-tabs.js'
import { Emitter } from './emitter.js'
import { toVivimError, VivimError, type VivimErrorCode } from './errors.js'
import type { Listener, Place } from './place.js'
import { call, callAsync } from './runtime.js'
import { DocumentContent } from './shared/content.js'

/**
 * How a document stands with its peers. `connecting`: looking for somebody who has it; `syncing`:
 * getting in step; `conflict` and `resolved` are passed through when two devices changed one field
 * without knowing of each other.
 */
export type SyncState = 'offline' | 'connecting' | 'syncing' | 'synced' | 'conflict' | 'resolved'

/** Where the changes made on this device have got. */
export interface Receipts {
  /** How many changes were made here, ever. */
  local: number
  /** How many of them are durable here. */
  durable: number
  /** How many of them no peer has, as far as is known. */
  unsynced: number
  /** How many peers have all of them. */
  reached: number
  /** How many peers have stored all of them. */
  stored: number
  /**
   * How many of those keep documents for others (the node's `storePeers`): as long as it isn't 0, what was
   * done here is there for the others when this device is off. Relays don't store yet, and don't count.
   */
  kept: number
  /**
   * What each peer has: it has applied, and stored, all changes up to these; whether it exchanges the
   * document with us now, and whether it keeps documents for others.
   */
  peers: { peerId: string; applied: number; stored: number; open: boolean; keeper: boolean }[]
}

/** Two devices changed one field without knowing of each other. */
export interface DocumentConflict {
  /** Where: the shared type's name and the keys below it. */
  path: string
  /** The device whose change stands. */
  winner: string
  /** The devices whose changes met. */
  devices: string[]
  /** Milliseconds since 1970. */
  foundAt: number
}

/** Something about a document's storage. */
export type StorageEvent =
  /** It failed; the document goes on in memory, and what it lacks is written when the storage can. */
  | { type: 'failed'; error: VivimError }
  /** It works again, and everything is in it. */
  | { type: 'recovered' }
  /** Records could not be read. They are set aside, and what they held is asked for from peers. */
  | { type: 'damaged'; reasons: string[] }
  /** Another tab has deleted the document. Here it goes on in memory. */
  | { type: 'deleted' }

/** The events of a {@link VivimDocument}. */
export interface DocumentEvents {
  /** The document changed, here or there. `update` is a Yjs update of version 1. */
  update: { update: Uint8Array; local: boolean; peerId: string | undefined }
  /** Everything that this peer had when the exchange began has been applied. */
  synced: { peerId: string }
  /** {@link VivimDocument.status} is another. */
  status: { status: SyncState }
  /** {@link VivimDocument.receipts} gives another answer. */
  receipts: Receipts
  conflict: DocumentConflict
  awareness: AwarenessChange
  /** {@link VivimDocument.peers} gives another answer. */
  peers: { peers: string[] }
  storage: StorageEvent
  /** The document was closed. */
  closed: undefined
}

/** What a document needs to know of where it is from. @internal */
export interface DocumentPlace {
  room: string
  name: string
}

/**
 * A shared document, kept by the module itself. It opens from this device's storage, exchanges Yjs
 * updates with every member of the room who has a document of this name open (a `Y.Doc` behind a
 * `VivimProvider` included), and keeps what it hears.
 */
export class VivimDocument extends DocumentContent {
  readonly docId: string
  /** The document's name in its room. */
  readonly name: string
  /** The name of the room in which it is exchanged. */
  readonly roomName: string
  /**
   * Resolves when what is stored here is in the document, or can't be had (an event `storage` says why).
   * Edits can be made before.
   */
  readonly loaded: Promise<void>
  /** Who is there, and what this device says of itself. */
  readonly awareness: DocumentAwareness
  readonly #core: NodeCore
  readonly #raw: RawDocument
  readonly #events = new Emitter<DocumentEvents>()
  readonly #inStep = new Set<string>()
  readonly #tabs: DocumentTabs | undefined
  #place: Place | undefined
  #opening: Promise<void>
  #isLoaded = false
  #synced = false
  #closed: Promise<void> | undefined
  #isClosed = false
  /** Somebody keeps it open when its room is left. */
  #users = 0

  private constructor(core: NodeCore, raw: RawDocument, { room, name }: DocumentPlace) {
    super(raw)
    this.#core = core
    this.#raw = raw
    this.docId = raw.docId
    this.name = name
    this.roomName = room
    this.awareness = DocumentAwareness.create(raw)
    let onLoaded = (): void => {}
    this.loaded = new Promise(resolve => (onLoaded = resolve))
    this.#opening = this.loaded
    const { database } = core
    this.#tabs = database === undefined || typeof BroadcastChannel !== 'function'
      ? undefined
      : new DocumentTabs(database, raw, () => this.#onDeleted())
    call(() => raw.listen(event => {
      if (event.type === 'loaded') {
        this.#isLoaded = true
        // Before anybody goes on: who sets a handler now has read what is told here.
        super.deliver()
        onLoaded()
      } else {
        this.#onEvent(event)
      }
    }))
    open.add(this)
    watch()
  }

  /** @internal */
  static create(core: NodeCore, raw: RawDocument, place: DocumentPlace): VivimDocument {
    return new VivimDocument(core, raw, place)
  }

  /**
   * Resolves when the document is open: loaded, and, if its room is joined, exchanged with whoever is
   * there.
   */
  get ready(): Promise<void> {
    return this.#opening
  }

  /** Whether the document has been in step with at least one peer. */
  get synced(): boolean {
    return this.#synced
  }

  get closed(): boolean {
    return this.#isClosed
  }

  /** How it stands with its peers. */
  get status(): SyncState {
    return call(() => this.#raw.state)
  }

  /** How many changes made here no peer has, as far as is known. */
  get unsynced(): number {
    return call(() => this.#raw.unsynced)
  }

  /** The peers that exchange it with us. */
  get peers(): string[] {
    return call(() => this.#raw.peers())
  }

  /** Bytes that it takes in the storage. */
  get storedBytes(): number {
    return call(() => this.#raw.storedBytes)
  }

  /** Where the changes made here have got. */
  receipts(): Receipts {
    const { local, durable, unsynced, reached, stored, kept, peers }: RawReceipts = call(() => this.#raw.receipts())
    return { local, durable, unsynced, reached, stored, kept, peers }
  }

  /** What the document has seen, by device; `client:ID` for what isn't known to be of a device. */
  vectorClock(): Record<string, number> {
    return call(() => this.#raw.vectorClock())
  }

  /**
   * Resolves when everything up to now is durable on this device. Without storage there is nothing to
   * wait for.
   *
   * @throws VivimError `STORAGE_FULL`, `STORAGE_UNAVAILABLE`, `STORAGE`: the document goes on in memory,
   * and the write is repeated. `STORAGE_NEWER`: newer software than this page has stored it, and it is left
   * as it is; reload the page.
   */
  async flush(): Promise<void> {
    this.#hand()
    await callAsync(() => this.#raw.flush())
  }

  /** The document as a file, for `CRDTSyncService.importDocument`. */
  export(): Uint8Array {
    return call(() => this.#raw.exportFile())
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof DocumentEvents>(event: Name, handler: (detail: DocumentEvents[Name]) => void): () => void {
    if (event === 'update') call(() => this.#raw.wantUpdates())
    if (event === 'receipts') call(() => this.#raw.wantReceipts())
    return this.#events.on(event, handler)
  }

  /**
   * Exchanges the document no more; resolves when it is durable and nothing of it is being written. Its content can
   * still be read.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#hand()
    super.deliver()
    this.#isClosed = true
    open.delete(this)
    this.#core.forgetDocument(this)
    // A storage that fails has said so by its event; what is in memory goes with the page.
    const kept = callAsync(() => this.#raw.close()).catch(() => undefined)
    await this.exit()
    await kept
    // Who deletes the database or opens it elsewhere now meets nothing that is still being written.
    await callAsync(() => this.#raw.rest()).catch(() => undefined)
    this.#tabs?.close()
    this.#events.emit('closed', undefined)
  }

  protected override assertWritable(): void {
    if (this.#isClosed) throw new VivimError('CLOSED', 'this document was closed')
  }

  protected override deliver(): void {
    this.#hand()
    super.deliver()
  }

  /** Hands on what was edited. */
  #hand(): void {
    for (const update of call(() => this.#raw.takeUpdates())) {
      this.#events.emit('update', { update, local: true, peerId: undefined })
    }
  }

  #onEvent(event: Exclude<RawDocumentEvent, { type: 'loaded' }>): void {
    switch (event.type) {
      case 'updated':
        if (event.update !== undefined) {
          this.#events.emit('update', { update: event.update, local: false, peerId: event.peerId })
        }
        // With what a handler has answered to it, which needn't wait for the turn's end.
        return this.deliver()
      case 'synced':
        this.#synced = true
        this.#inStep.add(event.peerId)
        return this.#events.emit('synced', { peerId: event.peerId })
      case 'state':
        return this.#events.emit('status', { status: event.state })
      case 'receipts':
        return this.#events.emit('receipts', this.receipts())
      case 'peers': {
        const { peers } = this
        for (const peer of this.#inStep) if (!peers.includes(peer)) this.#inStep.delete(peer)
        return this.#events.emit('peers', { peers })
      }
      case 'conflict': {
        const { path, winner, devices, foundAt } = event
        return this.#events.emit('conflict', { path, winner, devices, foundAt })
      }
      case 'awareness': {
        const change = { added: event.added, updated: event.updated, removed: event.removed }
        this.awareness.changed(change)
        return this.#events.emit('awareness', change)
      }
      case 'damaged':
        return this.#events.emit('storage', { type: 'damaged', reasons: event.reasons })
      case 'storage': {
        const error = new VivimError(event.code as VivimErrorCode, event.message)
        return this.#events.emit('storage', { type: 'failed', error })
      }
      case 'recovered':
        return this.#events.emit('storage', { type: 'recovered' })
      case 'wrote':
        this.#core.persist()
        return this.#tabs?.tell(event)
      case 'compacted':
        return this.#tabs?.tell(event)
    }
  }

  #onDeleted(): void {
    call(() => this.#raw.abandon())
    this.#events.emit('storage', { type: 'deleted' })
  }

  // Where it is exchanged

  /** @internal Whether this peer's state, as of when the exchange began, is here. */
  isInStepWith(peerId: string): boolean {
    return this.#inStep.has(peerId)
  }

  /** @internal The raw document, for the service. */
  get raw(): RawDocument {
    return this.#raw
  }

  /** @internal Says that it is to stay open when its room is left. */
  use(): void {
    this.#users += 1
  }

  /** @internal Exchanges the document through a place in its room. */
  enter(openPlace: (listener: Listener, raw: RawDocument) => Place): void {
    if (this.#place !== undefined || this.#isClosed) return
    const enter = async (): Promise<void> => {
      if (!this.#isLoaded) await this.loaded
      if (this.#isClosed) throw new VivimError('CLOSED', 'the document was closed before it was open')
      if (wanted !== this.#wanted) return
      const place = openPlace({
        onClosed: () => {
          if (this.#place === place) this.#place = undefined
          if (this.#users === 0) this.#end()
        },
      }, this.#raw)
      this.#place = place
      await place.ready
    }
    const wanted = (this.#wanted = {})
    this.#opening = enter()
    this.#opening.catch(() => undefined)
  }

  #wanted: object | undefined

  /** @internal Exchanges it no more; it stays open here. */
  async exit(): Promise<void> {
    this.#wanted = undefined
    const place = this.#place
    this.#place = undefined
    await place?.detach()
  }

  /** @internal The room was left, or the node has stopped. */
  leave(): void {
    this.#wanted = undefined
    this.network(false)
    if (this.#users === 0) this.#end()
  }

  /** The room was left, for a document that only its room kept open. */
  #end(): void {
    if (this.#isClosed) return
    this.close().catch((error: unknown) => this.#core.fail(toVivimError(error)))
  }

  /** @internal Whether its room is joined and there is a network. */
  network(up: boolean): void {
    if (!this.#isClosed) call(() => this.#raw.network(up))
  }
}

/** The open documents of this page, which are written as far as possible when it goes. */
const open = new Set<VivimDocument>()
let watching = false

function watch(): void {
  if (watching || typeof addEventListener !== 'function') return
  watching = true
  const flush = (): void => {
    // Nobody waits for it, and a storage that fails has its own event.
    for (const document of open) document.flush().catch(() => undefined)
  }
  addEventListener('pagehide', flush)
  if (typeof document === 'object') {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') flush()
    })
  }
}
