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

  peerId() {
    return this.node.getPeerId()
  }

  /** @param {string} event */
  of(event) {
    return this.heard.filter((entry) => entry.event === event).map((entry) => entry.detail)
  }
}
