import type { RawRoom } from '../wasm/vivim_wasm.js'
import type { AwarenessState } from './awareness.js'
import type { NodeCore } from './core.js'
import type { DocumentConflict, SyncState, VivimDocument } from './document.js'
import { tellDeleted } from './document-tabs.js'
import { Emitter } from './emitter.js'
import { toVivimError, VivimError } from './errors.js'
import { NetworkNode } from './network-node.js'
import type { Room } from './room.js'
import { call, callAsync, wasm } from './runtime.js'
import { Kind } from './shared/raw.js'
import type { SharedType } from './shared/index.js'

/** The document of a room that {@link CRDTSyncService.createDocument} opens. */
const DEFAULT = 'default'
/** How long {@link CRDTSyncService.sync} waits for a peer. */
const SYNC_TIMEOUT_MS = 30_000

/** What a {@link CRDTSyncService} needs. */
export interface CRDTSyncOptions {
  node: NetworkNode
  /** Whether its documents are kept on this device. Default: as the node's `storage` says. */
  storage?: boolean | undefined
}

/** A document to be created. */
export interface DocumentConfig {
  /** Its name: whoever opens a document of this name in the network exchanges it. */
  docId: string
  /** What sort of document it is, for the application's own use, such as `conversation`. */
  docType?: string | undefined
  /** Whether it is exchanged with peers. Default: true. */
  p2pEnabled?: boolean | undefined
  /** Taken for compatibility. Peers are found through the node's `bootstrapPeers`. */
  signalingServers?: readonly string[] | undefined
  /** Taken for compatibility, as `signalingServers`. */
  websocketUrl?: string | undefined
}

/** A document that is kept on this device. */
export interface DocumentInfo {
  /** The name under which {@link CRDTSyncService.createDocument} opens it. */
  name: string
  /** Its id in the network, 64 hex digits. */
  docId: string
  /** The room in which it is exchanged, and its name there. */
  room: string
  nameInRoom: string
  docType: string
  /** Milliseconds since 1970. */
  created: number
  opened: number
  /** Whether it is open in this service. */
  isOpen: boolean
}

/** The events of a {@link CRDTSyncService}. `docId` is the name under which a document was created. */
export interface CRDTSyncEvents {
  'document:update': { docId: string; update: Uint8Array; origin: 'local' | 'remote' }
  'document:conflict': { docId: string } & DocumentConflict
  'sync:status': { docId: string; synced: boolean }
  'sync:state': { docId: string; state: SyncState }
  'sync:peers': { docId: string; peers: string[] }
  'connection:status': { docId: string; status: 'connected' | 'connecting' | 'disconnected' }
  'storage:error': { docId: string; code: string; message: string }
}

interface Entry {
  document: VivimDocument
  raw: RawRoom
  room: Room | undefined
  /** Whether it is to be exchanged. */
  wanted: boolean
  joining: Promise<void> | undefined
  offs: (() => void)[]
  synced: boolean
  connection: CRDTSyncEvents['connection:status']['status']
}

/**
 * Owns documents: opens them from this device's storage, keeps them in step with peers, and says how
 * they stand. Works with a node that isn't started, or has no relay; what was edited meanwhile is
 * exchanged when it can be.
 */
export class CRDTSyncService {
  readonly node: NetworkNode
  readonly #core: NodeCore
  readonly #kept: boolean
  readonly #entries = new Map<string, Entry>()
  readonly #events = new Emitter<CRDTSyncEvents>()
  readonly #offNode: () => void
  /** Whether somebody listens to `document:update`, which costs a copy of each. */
  #tellsUpdates = false
  #destroyed = false

  constructor({ node, storage = true }: CRDTSyncOptions) {
    if (!(node instanceof NetworkNode)) throw new VivimError('INVALID_ARGUMENT', 'the service needs a NetworkNode as node')
    this.node = node
    this.#core = node.core
    this.#kept = storage
    this.#offNode = node.on('started', () => {
      for (const entry of this.#entries.values()) this.#join(entry)
    })
  }

  /**
   * Opens the document of this name: the default document of the room of that name. The same name
   * gives the same document. With a configuration, resolves when it was loaded from storage.
   */
  createDocument(name: string): VivimDocument
  createDocument(config: DocumentConfig): Promise<VivimDocument>
  createDocument(what: string | DocumentConfig): VivimDocument | Promise<VivimDocument> {
    if (typeof what === 'string') return this.#open(what, '', true)
    if (typeof what !== 'object' || what === null) throw new VivimError('INVALID_ARGUMENT', 'a name or a configuration is needed')
    const { docId, docType = '', p2pEnabled = true } = what
    return Promise.resolve().then(async () => {
      const document = this.#open(docId, docType, p2pEnabled)
      await document.loaded
      return document
    })
  }

  /** The open document of this name. */
  getDocument(name: string): VivimDocument | undefined {
    return this.#entries.get(normal(name))?.document
  }

  /**
   * Exchanges a document with a peer; resolves when what the peer had is here. The peer must be in the
   * document's room, or connected.
   *
   * @throws VivimError `STOPPED`, `TIMEOUT`, `NOT_FOUND` for a document that isn't open.
   */
  async sync(document: VivimDocument | string, peerId: string): Promise<void> {
    const entry = this.#entry(document)
    if (!this.node.started) throw new VivimError('STOPPED', 'the node is not running; call start() first')
    entry.wanted = true
    this.#join(entry)
    await entry.joining
    if (entry.document.isInStepWith(peerId)) return
    await new Promise<void>((resolve, reject) => {
      const offs = [
        entry.document.on('synced', event => {
          if (event.peerId === peerId) settle(resolve)
        }),
        entry.document.on('closed', () => settle(() => reject(new VivimError('CLOSED', 'the document was closed')))),
        this.node.on('stopped', () => settle(() => reject(new VivimError('STOPPED', 'the node was stopped')))),
      ]
      const timer = setTimeout(() => settle(() => reject(new VivimError('TIMEOUT',
        'this peer did not exchange the document in time'))), SYNC_TIMEOUT_MS)
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        for (const off of offs) off()
        then()
      }
    })
  }

  /** Exchanges a document no more; it stays open here, and `sync` goes on with it. */
  async stopSync(document: VivimDocument | string): Promise<void> {
    const entry = this.#entry(document)
    entry.wanted = false
    await entry.joining
    await this.#leave(entry)
  }

  /** Says something of this device, in one document or in all that are open. */
  setAwareness(field: string, value: unknown, docId?: string): void {
    const entries = docId === undefined ? [...this.#entries.values()] : [this.#entry(docId)]
    for (const { document } of entries) document.awareness.setLocalStateField(field, value)
  }

  /** What a peer, or this node, says of itself in the open documents; undefined if nothing. */
  getAwareness(peerId: string): AwarenessState | undefined {
    const own = peerId === this.node.getPeerId()
    const states = [...this.#entries.values()].map(({ document: { awareness } }) =>
      own ? awareness.getLocalState() ?? undefined : awareness.stateOf(peerId))
    const known = states.filter(state => state !== undefined)
    return known.length === 0 ? undefined : Object.assign({}, ...known) as AwarenessState
  }

  getSyncState(docId: string): SyncState {
    return this.#entry(docId).document.status
  }

  /** What a document has seen, by device. */
  getVectorClock(docId: string): Record<string, number> {
    return this.#entry(docId).document.vectorClock()
  }

  encodeStateAsUpdate(docId: string): Uint8Array {
    return this.#entry(docId).document.encodeStateAsUpdate()
  }

  encodeStateAsVector(docId: string): Uint8Array {
    return this.#entry(docId).document.encodeStateVector()
  }

  applyUpdate(docId: string, update: Uint8Array): void {
    this.#entry(docId).document.applyUpdate(update)
  }

  /** Takes everything of one document into another one. */
  mergeDocument(source: VivimDocument | string, target: VivimDocument | string): void {
    const update = this.#entry(source).document.encodeStateAsUpdate()
    this.#entry(target).document.applyUpdate(update)
  }

  /** The shared type of this name, as what it is; a map if there is none yet. */
  getSharedType(docId: string, key: string): SharedType {
    const { document } = this.#entry(docId)
    switch (call(() => document.raw.rootKind(key))) {
      case Kind.text:
        return document.text(key)
      case Kind.array:
        return document.array(key)
      case Kind.xmlFragment:
        return document.xml(key)
      default:
        return document.map(key)
    }
  }

  /** The peers that exchange a document with us. */
  getConnectedPeers(docId: string): string[] {
    return this.#entry(docId).document.peers
  }

  /** The documents that are kept on this device, of this service or not. */
  async listDocuments(): Promise<DocumentInfo[]> {
    const kept = await callAsync(() => this.#core.raw.listDocuments())
    return kept.map(({ docId, name, room, kind, created, opened }) => ({
      name: fullName(room, name), docId, room, nameInRoom: name, docType: kind, created, opened,
      isOpen: this.#core.documents.has(docId),
    }))
  }

  /** Closes a document here and removes what is kept of it on this device; peers keep theirs. */
  async deleteDocument(name: string): Promise<void> {
    const { raw, inner } = this.#place(name)
    const docId = call(() => raw.docId(inner))
    const entry = this.#entries.get(normal(name))
    const document = entry?.document ?? this.#core.documents.get(docId)
    // What it has still to write isn't to be written.
    if (document !== undefined) call(() => document.raw.abandon())
    if (entry !== undefined) await this.#drop(normal(name), entry)
    else await document?.close()
    const { database } = this.#core
    if (database !== undefined) tellDeleted(database, docId)
    await callAsync(() => this.#core.raw.deleteDocument(docId))
  }

  /** A document as a file, which {@link importDocument} reads; it need not be open. */
  async exportDocument(name: string): Promise<Uint8Array> {
    const open = this.getDocument(name)
    if (open !== undefined) {
      await open.loaded
      return open.export()
    }
    const { raw, inner, room } = this.#place(name)
    const document = this.#core.openDocument(raw, room, inner, '', this.#kept)
    await document.loaded
    try {
      return document.export()
    } finally {
      if (this.getDocument(name) === undefined) await document.close()
    }
  }

  /**
   * Opens the document of a file, or another one, and takes in what is in the file; what is there
   * already stays. Resolves when it is durable.
   *
   * @throws VivimError `INVALID_FILE`.
   */
  async importDocument(bytes: Uint8Array, name?: string): Promise<VivimDocument> {
    if (!(bytes instanceof Uint8Array)) throw new VivimError('INVALID_ARGUMENT', 'a file must be a Uint8Array')
    const { readDocumentFile } = wasm()
    const file = call(() => readDocumentFile(bytes))
    const document = this.#open(name ?? fullName(file.room, file.name), file.kind, true)
    await document.loaded
    document.applyUpdate(file.update)
    await document.flush()
    return document
  }

  /** Closes a document; what is kept of it stays. */
  async destroyDocument(docId: string): Promise<void> {
    const name = normal(docId)
    const entry = this.#entries.get(name)
    if (entry !== undefined) await this.#drop(name, entry)
  }

  /** Closes all documents of this service. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#offNode()
    await Promise.all([...this.#entries].map(([name, entry]) => this.#drop(name, entry)))
  }

  /**
   * Whether the browser has agreed not to evict what is stored; it is asked when the first document is
   * stored. Undefined while it wasn't asked.
   */
  get persisted(): Promise<boolean> | undefined {
    return this.#core.persisted
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof CRDTSyncEvents>(event: Name, handler: (detail: CRDTSyncEvents[Name]) => void): () => void {
    if (event === 'document:update' && !this.#tellsUpdates) {
      this.#tellsUpdates = true
      for (const [name, entry] of this.#entries) this.#tellUpdates(name, entry)
    }
    return this.#events.on(event, handler)
  }

  // Opening

  #open(name: string, docType: string, wanted: boolean): VivimDocument {
    if (this.#destroyed) throw new VivimError('CLOSED', 'this service was destroyed')
    name = normal(name)
    const known = this.#entries.get(name)
    if (known !== undefined) return known.document
    const { raw, inner, room } = this.#place(name)
    const document = this.#core.openDocument(raw, room, inner, docType, this.#kept)
    document.use()
    const entry: Entry = {
      document, raw, room: undefined, wanted, joining: undefined, offs: [], synced: false, connection: 'disconnected',
    }
    this.#entries.set(name, entry)
    this.#listen(name, entry)
    this.#join(entry)
    return document
  }

  #place(name: string): { raw: RawRoom; room: string; inner: string } {
    const { room, inner } = placeOf(normal(name))
    return { raw: call(() => this.#core.raw.room(room)), room, inner }
  }

  #entry(document: VivimDocument | string): Entry {
    const entry = typeof document === 'string'
      ? this.#entries.get(normal(document))
      : [...this.#entries.values()].find(entry => entry.document === document)
    if (entry === undefined) throw new VivimError('NOT_FOUND', 'this document is not open in this service')
    return entry
  }

  #listen(docId: string, entry: Entry): void {
    const { document, offs } = entry
    const emit = this.#events.emit.bind(this.#events)
    offs.push(
      document.on('status', ({ status: state }) => {
        emit('sync:state', { docId, state })
        const synced = state === 'synced' || state === 'conflict' || state === 'resolved'
        if (synced !== entry.synced) emit('sync:status', { docId, synced: (entry.synced = synced) })
        const status = state === 'offline' ? 'disconnected' : state === 'connecting' ? 'connecting' : 'connected'
        if (status !== entry.connection) emit('connection:status', { docId, status: (entry.connection = status) })
      }),
      document.on('peers', ({ peers }) => emit('sync:peers', { docId, peers })),
      document.on('conflict', conflict => emit('document:conflict', { docId, ...conflict })),
      document.on('storage', event => {
        if (event.type === 'failed') emit('storage:error', { docId, code: event.error.code, message: event.error.message })
        if (event.type === 'damaged') {
          emit('storage:error', { docId, code: 'STORAGE_DAMAGED', message: event.reasons.join('; ') })
        }
      }),
      document.on('closed', () => {
        if (this.#entries.get(docId) === entry) void this.#drop(docId, entry)
      }))
    if (this.#tellsUpdates) this.#tellUpdates(docId, entry)
  }

  #tellUpdates(docId: string, entry: Entry): void {
    entry.offs.push(entry.document.on('update', ({ update, local }) =>
      this.#events.emit('document:update', { docId, update, origin: local ? 'local' : 'remote' })))
  }

  // Rooms

  #join(entry: Entry): void {
    if (!entry.wanted || entry.room !== undefined || entry.joining !== undefined || !this.node.started) return
    entry.joining = this.#enter(entry)
      .catch((error: unknown) => {
        const failure = toVivimError(error)
        // The next start tries again.
        if (failure.code !== 'STOPPED' && failure.code !== 'CLOSED') this.#core.fail(failure)
      })
      .finally(() => (entry.joining = undefined))
  }

  async #enter(entry: Entry): Promise<void> {
    const room = await this.node.useRoom(entry.document.roomName)
    if (!entry.wanted || entry.document.closed || room.left) return room.unuse()
    entry.room = room
    const off = room.on('left', () => {
      off()
      if (entry.room !== room) return
      entry.room = undefined
      // Another user of the room may have left it; the document is still wanted.
      this.#join(entry)
    })
    room.enterDocument(entry.document)
    await entry.document.ready
  }

  async #leave(entry: Entry): Promise<void> {
    const { room, document } = entry
    entry.room = undefined
    if (room === undefined) return
    await room.exitDocument(document)
    await room.unuse()
  }

  async #drop(name: string, entry: Entry): Promise<void> {
    this.#entries.delete(name)
    entry.wanted = false
    await entry.joining
    await entry.document.close()
    await this.#leave(entry)
    for (const off of entry.offs) off()
  }
}

function normal(name: string): string {
  if (typeof name !== 'string' || name === '') throw new VivimError('INVALID_NAME', 'the name of a document must be a string')
  return name.normalize()
}

/** Documents that aren't their room's default one are named by both, with what names rarely have between. */
const SEPARATOR = '\u0000'

function fullName(room: string, name: string): string {
  return name === DEFAULT ? room : `${room}${SEPARATOR}${name}`
}

function placeOf(name: string): { room: string; inner: string } {
  const at = name.indexOf(SEPARATOR)
  return at < 0 ? { room: name, inner: DEFAULT } : { room: name.slice(0, at), inner: name.slice(at + 1) }
}
