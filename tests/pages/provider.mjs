// VivimProvider in a page, alone or beside other providers: what the provider's suite calls through `window.peer`.

import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'

/** @typedef {{ room: string, node?: boolean, stored?: boolean, user?: string, broadcastChannel?: boolean }} Opening */

export class ProviderPage {
  /** @type {any} */
  node = undefined
  /** @type {{ event: string, detail: unknown }[]} */
  events = []
  /** @type {any[]} origins of the document's updates */
  origins = []

  /** @param {string[]} bootstrapPeers */
  async create(bootstrapPeers) {
    await init()
    this.node = new NetworkNode({ bootstrapPeers, iceServers: [] })
  }

  /** @param {string} relay */
  async start(relay) {
    if (!this.node) await this.create([relay])
    await this.node.start()
  }

  /** @param {Opening} opening */
  async open({ room, stored = false, user, broadcastChannel }) {
    if (!this.node) await this.create([])
    const doc = new Y.Doc()
    this.doc = doc
    doc.on('update', (_, origin) => {
      this.origins.push(origin === this.provider ? 'provider' : origin === this.persistence ? 'storage' : String(origin))
    })
    if (stored) this.persistence = new IndexeddbPersistence(room, doc)
    const provider = new VivimProvider(doc, { node: this.node, room, broadcastChannel })
    this.provider = provider
    for (const event of /** @type {const} */ (['status', 'sync', 'synced', 'connection-error', 'unsynced-changes'])) {
      provider.on(event, (/** @type {any} */ detail) => this.events.push({ event, detail }))
    }
    if (user) provider.awareness.setLocalStateField('user', { name: user })
    if (this.persistence) await this.persistence.whenSynced
  }

  get ydoc() {
    if (!this.doc) throw new Error('open it first')
    return this.doc
  }

  text() {
    return this.ydoc.getText('text').toString()
  }

  /** @param {string} text */
  write(text) {
    const shared = this.ydoc.getText('text')
    shared.insert(shared.length, text)
  }

  /** Waits until y-indexeddb has stored what the document holds. */
  async stored() {
    const database = this.persistence?.db
    if (!database) throw new Error('open it as stored first')
    // y-indexeddb says nothing about single updates, but a database reads what was to be written before.
    const reading = database.transaction(['updates']).objectStore('updates').count()
    await new Promise((resolve, reject) => {
      reading.onsuccess = resolve
      reading.onerror = () => reject(reading.error)
    })
  }

  /** Names of the other users here. */
  users() {
    const { awareness } = this.provider ?? {}
    if (!awareness) return []
    return [...awareness.getStates()]
      .filter(([client]) => client !== awareness.clientID)
      .map(([, state]) => state.user?.name)
      .sort()
  }

  synced() {
    return this.provider?.synced === true
  }

  unsynced() {
    return this.provider?.unsyncedChanges
  }

  status() {
    return this.provider?.status
  }

  /** Fills the document to at least this many bytes, in 10,000 edits. @param {number} bytes */
  fill(bytes) {
    const shared = this.ydoc.getText('text')
    const line = 'x'.repeat(Math.ceil(bytes / 10_000))
    // At the front, so that no two edits become one.
    for (let edit = 0; edit < 10_000; edit += 1) shared.insert(0, line)
    return Y.encodeStateAsUpdate(this.ydoc).length
  }

  /** Watches the main thread from now on; `longest` gives the longest task in milliseconds, 0 below 50. */
  watch() {
    /** @type {number[]} */
    const tasks = []
    const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
    observer.observe({ type: 'longtask', buffered: false })
    this.tasks = { observer, tasks }
  }

  async longest() {
    if (!this.tasks) throw new Error('watch first')
    // Entries come in a task of their own.
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 100)))
    this.tasks.tasks.push(...this.tasks.observer.takeRecords().map(({ duration }) => duration))
    this.tasks.observer.disconnect()
    return Math.max(0, ...this.tasks.tasks)
  }
}
