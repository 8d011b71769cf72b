// What a page does at first: `tests/profile.mjs` writes down which functions of the module that takes.

import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'

export class Start {
  warnings = 0

  /** Loads the module and does nothing with it, which is when the engine rehearses. */
  async load() {
    await init()
    this.loaded = performance.now()
  }

  isRested() {
    return performance.now() - (this.loaded ?? Infinity) > 1_500
  }

  /**
   * @param {string | undefined} relay
   * @param {string} name of a document; a second one is the application's own
   * @param {boolean} storage
   */
  async open(relay, name, storage = true) {
    await init()
    this.node = new NetworkNode({ bootstrapPeers: relay ? [relay] : [], iceServers: [], storage })
    this.node.on('warning', () => this.warnings++)
    this.service = new CRDTSyncService({ node: this.node })
    this.service.on('sync:state', () => undefined)
    this.document = this.service.createDocument(name)
    this.document.on('receipts', () => undefined)
    this.document.text('body').on('change', () => undefined)
    await this.document.loaded
    await this.node.start()
    this.ydoc = new Y.Doc()
    this.provider = new VivimProvider(this.ydoc, { node: this.node, room: `${name}, own` })
    this.provider.awareness.setLocalStateField('user', { name: 'somebody' })
    this.document.awareness.setLocalState({ name: 'somebody' })
  }

  hasRelay() {
    return (this.node?.getConnections() ?? []).some((/** @type {any} */ { relay }) => relay)
  }

  /** Whether what was written here is with the other, and stored there. */
  hasAll() {
    return this.document?.unsynced === 0 && this.document.receipts().stored >= 1
  }

  isTogether() {
    return (this.node?.getConnections() ?? []).some((/** @type {any} */ { direct, relay }) => direct && !relay) && this.document?.synced
      && this.provider?.synced
  }

  /** Writes what an application writes by itself, and what comes first of what people do. @param {string} who */
  async write(who) {
    const { document, ydoc } = this
    if (!document || !ydoc) throw new Error('open it first')
    const body = document.text('body')
    for (const letter of `${who} writes this; `) {
      body.insert(body.length, letter)
      ydoc.getText('body').insert(ydoc.getText('body').length, letter)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    document.change(() => {
      document.map('names').set(who, { since: 1 })
      document.array('items').push(who, 1, true)
    })
    document.awareness.setLocalState({ name: who, at: body.length })
    await document.flush()
  }

  /** Opens a document that was written for long, and writes into the midst of it. */
  async writeLarge() {
    const { document } = this
    if (!document) throw new Error('open it first')
    const ydoc = new Y.Doc()
    edit(ydoc.getText('large'), 4_000)
    document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
    edit(document.text('large'), 400)
    await document.flush()
  }

  read() {
    const { document } = this
    return [document?.text('body').toString(), document?.toJSON(), document?.receipts(), document?.unsynced, this.node?.getNodeInfo()]
  }

  /** The numbers of the functions that were called so far. @returns {string[]} */
  called() {
    return /** @type {any} */ (globalThis).vivimCalled()
  }

  async close() {
    await this.service?.destroy()
    this.provider?.destroy()
    await this.node?.stop()
  }
}

/**
 * Writes here and there, and takes some of it away.
 * @param {{ length: number, insert: (at: number, text: string) => void, delete: (at: number, length: number) => void }} text
 * @param {number} edits
 */
function edit(text, edits) {
  for (let number = 0; number < edits; number++) {
    const at = (number * 7919) % (text.length + 1)
    if (number % 5 === 4) text.delete(Math.min(at, text.length - 2), 2)
    else text.insert(at, `word ${number} `)
  }
}
