// Documents of the package in a page: what tests/e2e/documents.test.mjs calls through `window.peer`.

import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'

/** One tab: a node, its document service, and what was heard of its documents. */
export class Documents {
  /** @type {any} */
  node = undefined
  /** @type {any} */
  service = undefined
  /** @type {{ event: string, detail: any }[]} */
  heard = []

  /** @param {{ relay?: string, start?: boolean, config?: object }} options */
  async open({ relay, start = true, config = {} } = {}) {
    await init()
    this.node = new NetworkNode({ bootstrapPeers: relay ? [relay] : [], iceServers: [], ...config })
    this.node.on('warning', (/** @type {any} */ detail) => this.heard.push({ event: 'warning', detail }))
    this.service = new CRDTSyncService({ node: this.node })
    const events = ['sync:state', 'sync:status', 'sync:peers', 'connection:status', 'document:conflict', 'storage:error']
    for (const event of events) this.service.on(event, (/** @type {any} */ detail) => this.heard.push({ event, detail }))
    if (start) await this.node.start()
  }

  /** @param {string} name */
  async create(name) {
    const document = this.service.createDocument(name)
    await document.loaded
    return document.docId
  }

  /** @param {string} name */
  doc(name) {
    return this.service.getDocument(name)
  }

  /** @param {string} name */
  text(name) {
    return this.doc(name).text('body').toString()
  }

  /** @param {string} name @param {string} text */
  append(name, text) {
    const body = this.doc(name).text('body')
    body.insert(body.length, text)
  }

  /** @param {string} name */
  flush(name) {
    return this.doc(name).flush()
  }

  /** @param {string} name */
  receipts(name) {
    return this.doc(name).receipts()
  }

  /** @param {string} name */
  unsynced(name) {
    return this.doc(name).unsynced
  }

  /** What was heard of a document's storage, from now on. @param {string} name */
  watchStorage(name) {
    this.doc(name).on('storage', (/** @type {any} */ event) => this.heard.push({
      event: 'storage', detail: { type: event.type, code: event.error?.code, reasons: event.reasons },
    }))
  }

  /**
   * Changes the bytes of every record in the database, as something else than this package would.
   * @param {(bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>} change
   */
  async tamper(change) {
    const done = (/** @type {IDBRequest} */ request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const database = await done(indexedDB.open('vivim'))
    const rows = await done(database.transaction(['records']).objectStore('records').getAll())
    for (const row of rows) {
      const changed = { ...row, b: await change(row.b) }
      await done(database.transaction(['records'], 'readwrite').objectStore('records').put(changed))
    }
    database.close()
  }

  /** Makes every record one of a later version, with the header that all versions have. */
  makeNewer() {
    return this.tamper(async (bytes) => {
      const newer = bytes.slice()
      newer[0] = 2
      const summed = new Uint8Array([...newer.subarray(0, 6), ...newer.subarray(14)])
      newer.set(new Uint8Array(await crypto.subtle.digest('SHA-256', summed)).subarray(0, 8), 6)
      return newer
    })
  }

  /** Every record in the database, and what was set aside, as text. */
  async records() {
    const done = (/** @type {IDBRequest} */ request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const database = await done(indexedDB.open('vivim'))
    const stores = ['records', 'quarantine']
    const rows = await Promise.all(stores.map((store) => done(database.transaction([store]).objectStore(store).getAll())))
    database.close()
    const [records, quarantine] = rows.map((all) => all.map((/** @type {any} */ row) => `${row.k}: ${row.b}`))
    return { records, quarantine }
  }

  peerId() {
    return this.node.getPeerId()
  }

  /** @param {string} event */
  of(event) {
    return this.heard.filter((entry) => entry.event === event).map((entry) => entry.detail)
  }
}
