// Binds a Y.Doc to a room.

import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { report, VivimError } from './errors.js'
import { NetworkNode } from './network-node.js'
import { Observable } from './observable.js'
import { Link } from './provider-link.js'
import { Outbox } from './provider-outbox.js'
import { Tabs, type Tab } from './provider-tabs.js'
import { Unsynced } from './provider-unsynced.js'
import { firstClient } from './provider-wire.js'
import { Room } from './room.js'
import type { RoomPeer } from './types.js'

export type ProviderStatus = 'connecting' | 'connected' | 'disconnected'

/** How far a document is in step with others. */
export interface SyncStatus {
  connected: boolean
  /** Whether everything that the others had has arrived. */
  receivedInitialSync: boolean
  /** Whether somebody has every change that was made here. */
  localUpdatesSynced: boolean
  /** `green`: all of it; `yellow`: connected, but something is under way; `red`: not connected. */
  status: 'green' | 'yellow' | 'red'
}

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
  /**
   * Whether to exchange the document with other tabs of this browser directly, which works without a
   * relay and before the node is started. Default: true in pages, false elsewhere.
   */
  broadcastChannel?: boolean | undefined
}

/** The events of a {@link VivimProvider}, with their handlers' arguments. */
export interface ProviderEvents {
  status: [{ status: ProviderStatus }]
  sync: [boolean]
  synced: [boolean]
  peers: [{ added: string[]; removed: string[]; peers: RoomPeer[] }]
  /** How many changes made here nobody else is known to have. */
  'unsynced-changes': [number]
  'sync-status': [SyncStatus]
  'connection-error': [VivimError, VivimProvider]
  /** The exchange with the room has ended; with the error, if it was one that ended it. */
  'connection-close': [VivimError | null, VivimProvider]
}

interface AwarenessChange {
  added: number[]
  updated: number[]
  removed: number[]
}

/** Where a change that this provider applies comes from. */
type Source = 'room' | Tab

/**
 * Keeps a `Y.Doc` in step with everybody in the room who has a document of this name open, and with
 * other tabs of this browser. The `Y.Doc` is the only copy; other providers, such as y-indexeddb,
 * can work on it at the same time.
 */
export class VivimProvider extends Observable<ProviderEvents> {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly node: NetworkNode
  /** The document's name within the room. */
  readonly name: string
  readonly #roomName: string
  readonly #ownsAwareness: boolean
  readonly #broadcasts: boolean
  readonly #outbox: Outbox
  readonly #unsynced = new Unsynced()
  readonly #endNode: () => void
  readonly #abort = new AbortController()
  #given: Room | undefined
  #link: Link | undefined
  #tabs: Tabs | undefined
  #status: ProviderStatus = 'disconnected'
  #synced = false
  #whenSynced: PromiseWithResolve | undefined
  #toldUnsynced = 0
  #toldStatus = ''
  #telling = false
  #wanted = false
  #destroyed = false
  /** Set while a change from elsewhere is being applied. */
  #source: Source | undefined
  /** Clients of whose awareness there is news to tell. */
  readonly #newsForTabs = new Set<number>()
  readonly #newsForRoom = new Set<number>()
  #tellingAwareness = false
  /** Who told us last of each client's awareness; nobody: somebody else on this page. */
  readonly #told = new Map<number, 'room' | string | undefined>()
  /** The peers and tabs through whom each client's awareness goes when they go. */
  readonly #owners = new Map<number, Set<string>>()

  constructor(doc: Y.Doc, options: ProviderOptions) {
    super()
    const { node, room, name = 'default', awareness, connect = true, broadcastChannel } = options
    if (!(node instanceof NetworkNode)) throw new VivimError('INVALID_ARGUMENT', 'a provider needs a NetworkNode as node')
    if (typeof room !== 'string' && !(room instanceof Room)) {
      throw new VivimError('INVALID_ARGUMENT', 'a provider needs a Room, or the name of one, as room')
    }
    this.doc = doc
    this.node = node
    this.name = name
    this.#given = typeof room === 'string' ? undefined : room
    this.#roomName = typeof room === 'string' ? room : room.name
    this.#broadcasts = Tabs.available(broadcastChannel)
    this.#ownsAwareness = awareness === undefined
    this.awareness = awareness ?? new Awareness(doc)
    this.#outbox = new Outbox(doc, origin => this.#wants(origin), update => this.#send(update))
    doc.on('destroy', this.#onDocDestroyed)
    this.awareness.on('update', this.#onAwareness)
    this.#endNode = node.on('started', () => {
      // The room that was given ended with the node's last run.
      if (this.#given?.left === true) this.#given = undefined
      if (this.#wanted && this.#link === undefined) this.#open()
    })
    if (typeof window === 'object') {
      // Before the node hears of it and stops.
      addEventListener('pagehide', () => this.#link?.farewell(), { signal: this.#abort.signal, capture: true })
    }
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

  /** Resolves when the provider is {@link synced}. */
  get whenSynced(): Promise<void> {
    if (this.#synced) return Promise.resolve()
    return (this.#whenSynced ??= promiseWithResolve()).promise
  }

  /** How many changes made here nobody else is known to have. Changes of one batch count as one or more. */
  get unsyncedChanges(): number {
    return this.#unsynced.count
  }

  /** How far the document is in step with others. */
  get syncStatus(): SyncStatus {
    const connected = this.connected
    const localUpdatesSynced = this.unsyncedChanges === 0
    const done = this.#synced && localUpdatesSynced
    return {
      connected, receivedInitialSync: this.#synced, localUpdatesSynced,
      status: !connected ? 'red' : done ? 'green' : 'yellow',
    }
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
    if (this.#broadcasts) this.#openTabs()
    if (this.node.started) this.#open()
  }

  /** Ends the exchange; `connect()` starts it again. */
  disconnect(): void {
    this.#end(null)
  }

  /** Ends it for good. Called by itself when the document is destroyed. Harmless when repeated. */
  override destroy(): void {
    if (this.#destroyed) return
    this.disconnect()
    this.#destroyed = true
    this.#abort.abort()
    this.#endNode()
    this.#outbox.close()
    this.doc.off('destroy', this.#onDocDestroyed)
    this.awareness.off('update', this.#onAwareness)
    if (this.#ownsAwareness) this.awareness.destroy()
    super.destroy()
  }

  #end(error: VivimError | null): void {
    if (!this.#wanted) return
    this.#wanted = false
    this.#outbox.flush()
    this.#tabs?.close()
    this.#tabs = undefined
    this.#close(error)
    this.#setStatus('disconnected')
  }

  // The room ---------------------------------------------------------------------------------------

  #open(): void {
    const link = new Link({
      doc: this.doc,
      awareness: this.awareness,
      node: this.node,
      name: this.name,
      apply: update => this.#apply(update, 'room'),
      applyAwareness: (update, from) => this.#applyAwareness(update, from, 'room'),
      knownAwareness: () => this.#knownAwareness(),
      renewAwareness: () => this.#renewAwareness(),
      reached: up => this.#setStatus(up ? 'connected' : 'connecting'),
      synced: () => {
        this.#setStatus('connected')
        this.#setSynced(true)
      },
      nextNumber: () => this.#unsynced.next(),
      acked: number => {
        if (this.#unsynced.reached(number)) this.#changedUnsynced()
      },
      peers: change => this.emit('peers', [change]),
      inStep: lost => {
        if (lost !== undefined) this.#disown(lost, 'room')
        this.#tellTabs()
        // What was under way to this peer may not have arrived, and now it counts as a tab again.
        if (lost !== undefined && this.#tabs?.some(tab => tab.peerId === lost)) this.#tabs.greet()
      },
      failed: (from, error) => {
        if (this.#link !== from) return
        // A node that was stopped meanwhile is waited for; anything else is the application's to mend.
        const mend = error.code !== 'STOPPED'
        if (!mend) this.#close(error)
        this.emit('connection-error', [error, this])
        if (mend) this.#end(error)
      },
      ended: from => {
        if (this.#link !== from) return
        this.#close(null)
        if (this.#wanted) this.#setStatus('connecting')
      },
    })
    this.#link = link
    link.open(this.#given ?? this.#roomName)
  }

  #close(error: VivimError | null): void {
    const link = this.#link
    this.#link = undefined
    link?.close()
    this.#setSynced(false)
    this.#tellTabs()
    // Whoever is known from a tab is still there.
    const isGone = (client: number): boolean =>
      client !== this.awareness.clientID && ![...this.#owners.get(client) ?? []].some(by => this.#tabs?.get(by))
    removeAwarenessStates(this.awareness, [...this.awareness.getStates().keys()].filter(isGone), this)
    // With what is remembered of them, or they would be taken for gone when they are met again.
    for (const client of [...this.awareness.meta.keys()].filter(isGone)) this.awareness.meta.delete(client)
    if (link !== undefined) this.emit('connection-close', [error, this])
  }

  #setStatus(status: ProviderStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.emit('status', [{ status }])
    this.#tellStatus()
  }

  #setSynced(synced: boolean): void {
    if (synced === this.#synced) return
    this.#synced = synced
    if (synced) {
      this.#whenSynced?.resolve()
      this.#whenSynced = undefined
    }
    this.emit('sync', [synced])
    this.emit('synced', [synced])
    this.#tellStatus()
  }

  /** Later, because changes come by the thousand, and handlers may be slow. */
  #changedUnsynced(): void {
    if (this.#telling) return
    this.#telling = true
    queueMicrotask(() => this.#tellUnsynced())
  }

  #tellUnsynced(): void {
    this.#telling = false
    const count = this.unsyncedChanges
    if (count === this.#toldUnsynced) return
    this.#toldUnsynced = count
    this.emit('unsynced-changes', [count])
    this.#tellStatus()
  }

  #tellStatus(): void {
    const status = this.syncStatus
    const told = JSON.stringify(status)
    if (told === this.#toldStatus) return
    this.#toldStatus = told
    this.emit('sync-status', [status])
  }

  // Other tabs -------------------------------------------------------------------------------------

  #openTabs(): void {
    this.#tabs = new Tabs(this.#roomName, this.name, {
      summary: () => Y.encodeStateVector(this.doc),
      diff: summary => Y.encodeStateAsUpdate(this.doc, summary),
      awareness: () => this.#knownAwareness(),
      renewAwareness: () => this.#renewAwareness(),
      applied: (update, from) => this.#apply(update, from),
      appliedAwareness: (update, from) => this.#applyAwareness(update, from.id, from),
      gone: tab => this.#disown(tab.id, tab),
      refused: error => console.warn('vivim: the document refused what another tab sent', error),
    })
    this.#tellTabs()
  }

  /** Tells the other tabs whether we exchange the document with anybody else. */
  #tellTabs(): void {
    const online = this.#link !== undefined && this.#link.inStep.size > 0
    this.#tabs?.setOnline(online, online ? this.node.getPeerId() : undefined)
  }

  /** Whether some tab hears nothing of what is made here unless we tell it. */
  #hasTabs(): boolean {
    return this.#tabs?.some(({ peerId }) => peerId === undefined || this.#link?.inStep.has(peerId) !== true) === true
  }

  /** Whether some tab hears nothing of the room unless we tell it. */
  #hasTabsOffline(): boolean {
    return this.#tabs?.some(tab => !tab.online) === true
  }

  // Changes ----------------------------------------------------------------------------------------

  /** Whether a change is to be sent: to whoever doesn't have it from where we have it. */
  #wants(origin: unknown): boolean {
    const source = origin === this ? this.#source : undefined
    if (source === 'room') return this.#hasTabsOffline()
    // The tabs have it. Those that are online have told the room, too.
    if (source !== undefined) return !source.online && this.#link !== undefined
    this.#unsynced.made()
    this.#changedUnsynced()
    return this.#link !== undefined || this.#hasTabs()
  }

  #send(update: Uint8Array): void {
    if (this.#hasTabs() || this.#hasTabsOffline()) this.#tabs?.tell({ kind: 'update', bytes: update })
    this.#link?.update(update)
  }

  #apply(update: Uint8Array, source: Source): void {
    try {
      this.#from(source, () => Y.applyUpdate(this.doc, update, this))
    } catch (error) {
      // An observer of the application may have thrown after the update was applied: that's no
      // fault of the peer. Bytes that aren't an update throw here again.
      Y.decodeUpdate(update)
      report(error)
    }
  }

  #from(source: Source, run: () => void): void {
    const before = this.#source
    this.#source = source
    try {
      run()
    } finally {
      this.#source = before
    }
  }

  // Awareness --------------------------------------------------------------------------------------

  #applyAwareness(update: Uint8Array, from: string, source: Source): void {
    const author = firstClient(update)
    if (author !== undefined && author !== this.awareness.clientID) {
      const owners = this.#owners.get(author) ?? new Set()
      this.#owners.set(author, owners.add(from))
    }
    this.#from(source, () => applyAwarenessUpdate(this.awareness, update, this))
  }

  /** A peer or tab is gone: with it go those whom nobody else brought. */
  #disown(from: string, source: Source): void {
    const gone: number[] = []
    for (const [client, owners] of this.#owners) {
      if (!owners.delete(from) || owners.size > 0) continue
      this.#owners.delete(client)
      gone.push(client)
    }
    this.#from(source, () => removeAwarenessStates(this.awareness, gone, this))
  }

  #knownAwareness(): Uint8Array {
    const own = this.awareness.clientID
    const others = [...this.awareness.getStates().keys()].filter(client => client !== own)
    const clients = this.awareness.getLocalState() === null ? others : [own, ...others]
    return clients.length === 0 ? new Uint8Array() : encodeAwarenessUpdate(this.awareness, clients)
  }

  #renewAwareness(): void {
    const state = this.awareness.getLocalState()
    if (state !== null) this.awareness.setLocalState(state)
  }

  readonly #onAwareness = ({ added, updated, removed }: AwarenessChange, origin: unknown): void => {
    const own = this.awareness.clientID
    const source = origin === this ? this.#source : undefined
    const changed = [...added, ...updated, ...removed]
    for (const client of [...added, ...updated]) {
      if (client !== own) this.#told.set(client, source === undefined || source === 'room' ? source : source.id)
    }
    for (const client of removed) this.#told.delete(client)
    // Everybody finds out by himself who is late.
    const news = origin === 'timeout' ? changed.filter(client => client === own) : changed
    const forTabs = source === undefined ? this.#hasTabs() : source === 'room' && this.#hasTabsOffline()
    const forRoom = this.#link !== undefined && source !== 'room' && source?.online !== true
    for (const client of news) {
      if (forTabs) this.#newsForTabs.add(client)
      if (forRoom) this.#newsForRoom.add(client)
    }
    if (this.#newsForTabs.size + this.#newsForRoom.size === 0 || this.#tellingAwareness) return
    // What changes in one turn is told once.
    this.#tellingAwareness = true
    queueMicrotask(() => this.#tellAwareness())
  }

  #tellAwareness(): void {
    this.#tellingAwareness = false
    const { awareness } = this
    const known = (client: number): boolean => awareness.meta.has(client)
    const forTabs = [...this.#newsForTabs].filter(known)
    const forRoom = new Set([...this.#newsForRoom].filter(known))
    this.#newsForTabs.clear()
    this.#newsForRoom.clear()
    if (forTabs.length > 0) this.#tabs?.tell({ kind: 'awareness', bytes: encodeAwarenessUpdate(awareness, forTabs) })
    if (this.#link === undefined || forRoom.size === 0) return
    // Only the newest message is sent to who is slow, so it says everything that is ours to say.
    if (awareness.getLocalState() !== null) forRoom.add(awareness.clientID)
    for (const [client, by] of this.#told) if (this.#speaksFor(by)) forRoom.add(client)
    this.#link.awareness(encodeAwarenessUpdate(awareness, [...forRoom]))
  }

  /** Whether the room hears from us alone of a client that we know from there. */
  #speaksFor(by: string | undefined): boolean {
    return by === undefined || by !== 'room' && this.#tabs?.get(by)?.online === false
  }

  readonly #onDocDestroyed = (): void => this.destroy()
}

interface PromiseWithResolve {
  promise: Promise<void>
  resolve(): void
}

function promiseWithResolve(): PromiseWithResolve {
  let resolve = (): void => undefined
  const promise = new Promise<void>(done => { resolve = done })
  return { promise, resolve }
}
