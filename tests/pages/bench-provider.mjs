// A Y.Doc with a provider and somebody at the other end, for the typing bench: ours, or y-websocket's.

import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { fetchTrace, mustBe } from './bench-common.mjs'

/** Gives way to everything that waits for the main thread. */
const giveWay = (() => {
  const { port1, port2 } = new MessageChannel()
  /** @type {((value?: unknown) => void) | undefined} */
  let go
  port1.onmessage = () => go?.()
  return () =>
    new Promise((resolve) => {
      go = resolve
      port2.postMessage(undefined)
    })
})()

class Typing {
  doc = new Y.Doc()
  shared = this.doc.getText('text')

  /** What was fetched, before the clock runs. */
  async prepare() {
    this.trace = await fetchTrace()
  }

  /**
   * Types the trace and reads the text.
   * @param {number} atOnce edits between which nothing else gets to run
   */
  async type(atOnce) {
    const { edits, text } = /** @type {{ edits: import('./bench-common.mjs').Edit[], text: string }} */ (this.trace)
    const { shared } = this
    const begin = performance.now()
    let left = atOnce
    for (const [position, deleted, inserted] of edits) {
      if (deleted > 0) shared.delete(position, deleted)
      if (inserted !== '') shared.insert(position, inserted)
      if (--left > 0) continue
      left = atOnce
      await giveWay()
    }
    const found = shared.toString()
    const took = performance.now() - begin
    mustBe(found, text)
    return took
  }

  /** Resolves when the document is the trace's. */
  arrived() {
    const { text } = /** @type {{ text: string }} */ (this.trace)
    return new Promise((resolve) => {
      const check = () => this.shared.length === text.length && this.shared.toString() === text && resolve(undefined)
      this.doc.on('afterTransaction', check)
      check()
    })
  }
}

export class OursTyping extends Typing {
  /** @param {string} relay @param {string} room */
  async join(relay, room) {
    await init()
    const node = new NetworkNode({ bootstrapPeers: [relay], iceServers: [] })
    await node.start()
    this.node = node
    this.provider = new VivimProvider(this.doc, { node, room })
  }

  connected() {
    return this.provider?.synced === true && this.provider.room?.status === 'direct'
  }
}

export class WebsocketTyping extends Typing {
  /** @param {string} url @param {string} room */
  join(url, room) {
    // Without a channel to other tabs: ours sends nothing there while there are none.
    this.provider = new WebsocketProvider(url, room, this.doc, { disableBc: true })
  }

  connected() {
    return this.provider?.synced === true
  }
}
