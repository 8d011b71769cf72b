// The package in the documents bench: its own documents, and its provider for a Y.Doc.

import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'
import { fetchState, fetchTrace, LongTasks, mustBe, pause, pingPong, storedBytes } from './bench-common.mjs'

const SAVED = 'saved-document'

/** A room of a node that talks to nobody. */
async function alone(/** @type {boolean} */ storage) {
  const node = new NetworkNode({ bootstrapPeers: [], storage })
  await node.start()
  return { node, room: await node.joinRoom('bench') }
}

export class Ours {
  ready() {
    return init()
  }

  async traceOpen() {
    const [{ text }, state] = await Promise.all([fetchTrace(), fetchState()])
    const { node, room } = await alone(false)
    const begin = performance.now()
    const document = room.document('opened')
    document.applyUpdate(state)
    const found = document.text('text').toString()
    const took = performance.now() - begin
    mustBe(found, text)
    await node.stop()
    return took
  }

  async traceType() {
    const { edits, text } = await fetchTrace()
    const { node, room } = await alone(false)
    const begin = performance.now()
    const shared = room.document('typed').text('text')
    for (const [position, deleted, inserted] of edits) {
      if (deleted > 0) shared.delete(position, deleted)
      if (inserted !== '') shared.insert(position, inserted)
    }
    const found = shared.toString()
    const took = performance.now() - begin
    mustBe(found, text)
    await node.stop()
    return took
  }

  /**
   * @param {string} relay
   * @param {string} name
   */
  async join(relay, name) {
    this.node = new NetworkNode({ bootstrapPeers: [relay], iceServers: [], storage: false })
    await this.node.start()
    this.room = await this.node.joinRoom(name)
    this.document = this.room.document('letters')
  }

  connected() {
    return this.room?.status === 'direct' && this.document?.synced === true
  }

  side(/** @type {string} */ mine, /** @type {string} */ theirs) {
    const document = /** @type {import('vivim-wasm').VivimDocument} */ (this.document)
    const text = document.text(mine)
    const other = document.text(theirs)
    let seen = other.length
    return {
      type: () => text.insert(text.length, 'x'),
      heard: (/** @type {() => void} */ handler) => {
        document.on('update', (/** @type {{ local: boolean }} */ { local }) => {
          if (local || other.length === seen) return
          seen = other.length
          handler()
        })
      },
    }
  }

  answer() {
    const side = this.side('pong', 'ping')
    side.heard(() => side.type())
  }

  /** @param {number} rounds */
  editToPeer(rounds) {
    return pingPong(this.side('ping', 'pong'), rounds)
  }

  /**
   * @param {string} name
   * @param {string} path
   */
  async hold(name, path) {
    const state = new Uint8Array(await (await fetch(path)).arrayBuffer())
    this.held = this.room?.document(name)
    this.held?.applyUpdate(state)
    await this.held?.ready
  }

  holding() {
    return this.held !== undefined
  }

  /**
   * @param {string} name
   * @param {number} length
   */
  async lateJoin(name, length) {
    const tasks = new LongTasks()
    const begin = performance.now()
    const document = /** @type {import('vivim-wasm').Room} */ (this.room).document(name)
    const text = document.text('text')
    await new Promise((resolve) => {
      document.on('update', () => text.length >= length && resolve(undefined))
    })
    const took = performance.now() - begin
    const longest = await tasks.end()
    await document.close()
    return { took, longest }
  }

  /**
   * @param {string} name
   * @param {string} path
   */
  async holdYDoc(name, path) {
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, new Uint8Array(await (await fetch(path)).arrayBuffer()))
    this.provider = new VivimProvider(ydoc, { node: this.node, room: this.room, name })
  }

  /**
   * @param {string} name
   * @param {number} length
   */
  async lateJoinYDoc(name, length) {
    const tasks = new LongTasks()
    const begin = performance.now()
    const ydoc = new Y.Doc()
    const shared = ydoc.getText('text')
    const complete = new Promise((resolve) => {
      shared.observe(() => shared.length >= length && resolve(performance.now()))
    })
    const provider = new VivimProvider(ydoc, { node: this.node, room: this.room, name })
    const took = Number(await complete) - begin
    const longest = await tasks.end()
    provider.destroy()
    return { took, longest }
  }

  async store() {
    const { node, room } = await alone(true)
    const document = room.document(SAVED)
    await document.loaded
    document.applyUpdate(await fetchState())
    await document.flush()
    await document.close()
    await node.stop()
  }

  async storageOpen() {
    const { text } = await fetchTrace()
    const { node, room } = await alone(true)
    const begin = performance.now()
    const document = room.document(SAVED)
    await document.loaded
    const found = document.text('text').toString()
    const took = performance.now() - begin
    mustBe(found, text)
    await document.close()
    await node.stop()
    return took
  }

  /** @param {number} times */
  async reopen(times) {
    const { node, room } = await alone(true)
    for (let time = 0; time < times; time++) {
      const document = room.document(SAVED)
      await document.loaded
      await document.close()
    }
    const document = room.document(SAVED)
    await document.loaded
    const state = document.encodeStateAsUpdate().byteLength
    await document.close()
    await node.stop()
    // Compaction goes on in the background.
    await pause(1_000)
    return { stored: await storedBytes(), state }
  }

  async end() {
    this.provider?.destroy()
    await this.node?.stop()
  }
}
