// What users have today in the documents bench: Yjs, with y-webrtc and y-indexeddb.

import { encoding } from 'lib0'
import { IndexeddbPersistence } from 'y-indexeddb'
import { writeUpdate } from 'y-protocols/sync'
import { WebrtcProvider } from 'y-webrtc'
import * as Y from 'yjs'
import { done, fetchState, fetchTrace, LongTasks, mustBe, pause, pingPong, storedBytes } from './bench-common.mjs'

const SAVED = 'saved-document'
/** y-webrtc's number for what y-protocols/sync writes. */
const MESSAGE_SYNC = 0

export class Yjs {
  async ready() {}

  async traceOpen() {
    const [{ text }, state] = await Promise.all([fetchTrace(), fetchState()])
    const begin = performance.now()
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, state)
    const found = ydoc.getText('text').toString()
    const took = performance.now() - begin
    mustBe(found, text)
    return took
  }

  async traceType() {
    const { edits, text } = await fetchTrace()
    const begin = performance.now()
    const shared = new Y.Doc().getText('text')
    for (const [position, deleted, inserted] of edits) {
      if (deleted > 0) shared.delete(position, deleted)
      if (inserted !== '') shared.insert(position, inserted)
    }
    const found = shared.toString()
    const took = performance.now() - begin
    mustBe(found, text)
    return took
  }

  /**
   * @param {string} relay y-webrtc's signaling server
   * @param {string} room
   */
  join(relay, room) {
    this.room = room
    this.relay = relay
    this.ydoc = new Y.Doc()
    this.provider = this.#provide(room, this.ydoc)
  }

  /**
   * @param {string} room
   * @param {Y.Doc} ydoc
   */
  #provide(room, ydoc) {
    return new WebrtcProvider(room, ydoc, {
      signaling: [this.relay ?? ''],
      peerOpts: { config: { iceServers: [] } },
      filterBcConns: false,
    })
  }

  /** Whether there is a direct connection to the other side. */
  connected() {
    const conns = [...(this.provider?.room?.webrtcConns.values() ?? [])]
    return conns.some((/** @type {any} */ conn) => conn.connected)
  }

  side(/** @type {string} */ mine, /** @type {string} */ theirs) {
    const ydoc = /** @type {Y.Doc} */ (this.ydoc)
    const other = ydoc.getText(theirs)
    return {
      type: () => ydoc.getText(mine).insert(ydoc.getText(mine).length, 'x'),
      heard: (/** @type {() => void} */ handler) => other.observe((_, transaction) => transaction.local || handler()),
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
   * Holds the trace's document for others to join. Its state is too large for one message of a channel, y-webrtc loses
   * it without a word; so it's sent here in pieces that were made before, which is the best that y-webrtc could do.
   * @param {string} name
   */
  async hold(name) {
    const ydoc = new Y.Doc()
    /** @type {string[]} */
    const pieces = await (await fetch('/trace-pieces.json')).json()
    const updates = pieces.map((piece) => Uint8Array.from(atob(piece), (letter) => letter.charCodeAt(0)))
    const messages = updates.map((update) => {
      const encoder = encoding.createEncoder()
      encoding.writeVarUint(encoder, MESSAGE_SYNC)
      writeUpdate(encoder, update)
      return encoding.toUint8Array(encoder)
    })
    this.held = this.#provide(`${this.room}-${name}`, ydoc)
    firstChannel(this.held).then(({ conn }) => messages.forEach((message) => conn.peer.send(message)))
  }

  holding() {
    return this.held?.signalingConns.every((/** @type {any} */ connection) => connection.connected)
  }

  /** From the open channel until the whole text is there: y-webrtc makes a channel for each document. */
  async lateJoin(/** @type {string} */ name, /** @type {number} */ length) {
    const ydoc = new Y.Doc()
    const shared = ydoc.getText('text')
    const tasks = new LongTasks()
    const complete = new Promise((resolve) => {
      shared.observe(() => shared.length >= length && resolve(performance.now()))
    })
    const provider = this.#provide(`${this.room}-${name}`, ydoc)
    const { at: begin } = await firstChannel(provider)
    const took = (await complete) - begin
    const longest = await tasks.end()
    provider.destroy()
    return { took, longest }
  }

  async store() {
    const ydoc = new Y.Doc()
    const persistence = new IndexeddbPersistence(SAVED, ydoc)
    await persistence.whenSynced
    Y.applyUpdate(ydoc, await fetchState())
    await done((await /** @type {any} */ (persistence)._db).transaction('updates').objectStore('updates').count())
    await persistence.destroy()
  }

  async storageOpen() {
    const { text } = await fetchTrace()
    const begin = performance.now()
    const ydoc = new Y.Doc()
    const persistence = new IndexeddbPersistence(SAVED, ydoc)
    await persistence.whenSynced
    const found = ydoc.getText('text').toString()
    const took = performance.now() - begin
    mustBe(found, text)
    await persistence.destroy()
    return took
  }

  /** @param {number} times */
  async reopen(times) {
    for (let time = 0; time < times; time++) {
      const persistence = new IndexeddbPersistence(SAVED, new Y.Doc())
      await persistence.whenSynced
      await persistence.destroy()
    }
    return { stored: await storedBytes(), state: (await fetchState()).byteLength }
  }

  async end() {
    this.provider?.destroy()
    this.held?.destroy()
  }
}

/**
 * @param {any} provider
 * @returns {Promise<{ at: number, conn: any }>} when its first data channel opened
 */
async function firstChannel(provider) {
  for (;;) {
    const conn = provider.room?.webrtcConns.values().next().value
    if (conn?.connected) return { at: performance.now(), conn }
    if (conn) return new Promise((resolve) => conn.peer.once('connect', () => resolve({ at: performance.now(), conn })))
    await pause(1)
  }
}
