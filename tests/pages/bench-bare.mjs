// The platform alone in the documents bench: a string, a database, a data channel.

import { Bare } from './bare.mjs'
import { done, fetchState, fetchTrace, mustBe, openDatabase, pingPong } from './bench-common.mjs'

const SAVED = 'saved-document'
/** About what an update of one letter weighs. */
const LETTER_BYTES = 32

export class Platform {
  async ready() {}

  async traceType() {
    const { edits, text } = await fetchTrace()
    const begin = performance.now()
    const buffer = new GapBuffer(text.length * 4)
    for (const [position, deleted, inserted] of edits) buffer.edit(position, deleted, inserted)
    const found = buffer.toString()
    const took = performance.now() - begin
    mustBe(found, text)
    return took
  }

  /**
   * @param {string} relay
   * @param {string} room
   * @param {'near' | 'far'} role
   */
  async join(relay, room, role) {
    this.bare = new Bare()
    this.bare.id = `${room}-${role}`
    await this.bare.start({ relay })
    this.far = `${room}-far`
    if (role === 'near') await this.bare.dial(this.far)
  }

  connected() {
    return this.bare?.connection?.connectionState === 'connected'
  }

  /** The other side echoes by itself. */
  answer() {}

  /** @param {number} rounds */
  async editToPeer(rounds) {
    const stream = await /** @type {Bare} */ (this.bare).stream(this.far ?? '', 'echo')
    const letter = new Uint8Array(LETTER_BYTES)
    let heard = () => {}
    const read = async () => {
      while (await stream.read()) heard()
    }
    read()
    return pingPong({ type: () => stream.write(letter), heard: (handler) => (heard = handler) }, rounds)
  }

  async store() {
    const state = await fetchState()
    const database = await openDatabase(SAVED)
    await done(database.transaction('records', 'readwrite').objectStore('records').add(state))
    database.close()
  }

  async storageOpen() {
    const begin = performance.now()
    const database = await openDatabase(SAVED)
    await done(database.transaction('records').objectStore('records').getAll())
    const took = performance.now() - begin
    database.close()
    return took
  }

  async end() {
    await this.bare?.stop()
  }
}

/** The simplest buffer that an editor can have: what it costs to hold a text without a history. */
class GapBuffer {
  /** @param {number} size UTF-16 units, more than the text will ever have */
  constructor(size) {
    this.units = new Uint16Array(size)
    this.start = 0
    this.end = size
  }

  /**
   * @param {number} position
   * @param {number} deleted
   * @param {string} inserted
   */
  edit(position, deleted, inserted) {
    const { units } = this
    const distance = position - this.start
    if (distance < 0) units.copyWithin(this.end + distance, position, this.start)
    if (distance > 0) units.copyWithin(this.start, this.end, this.end + distance)
    this.start += distance
    this.end += distance + deleted
    for (let at = 0; at < inserted.length; at++) units[this.start++] = inserted.charCodeAt(at)
  }

  toString() {
    const decoder = new TextDecoder('utf-16le')
    return decoder.decode(this.units.subarray(0, this.start)) + decoder.decode(this.units.subarray(this.end))
  }
}
