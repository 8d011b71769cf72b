// A js-libp2p peer that breaks the rules on purpose: raw signaling bytes, oversized frames, far too many channels.

import { made } from './capture.mjs'
import { multiaddr } from '@multiformats/multiaddr'
import { JsLibp2p } from './js-libp2p.mjs'

const SIGNALING = '/webrtc-signaling/0.0.1'
const OUTCOME_TIMEOUT_MS = 20_000

/** @param {number} value */
function uvarint(value) {
  const bytes = []
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80)
  return [...bytes, value]
}

/**
 * A signaling message with its length prefix.
 * @param {number} type 0 offer, 1 answer, 2 candidate
 * @param {string} data
 */
function signal(type, data) {
  const text = new TextEncoder().encode(data)
  const body = [0x08, type, 0x12, ...uvarint(text.length), ...text]
  return Uint8Array.from([...uvarint(body.length), ...body])
}

export class Hostile extends JsLibp2p {
  /** @type {RTCDataChannel[]} */
  channels = []

  /**
   * Opens a signaling stream over the relay and sends one message.
   * @param {string} relayed the relayed address of the victim
   * @param {'oversized' | 'candidate first' | 'answer first' | 'garbage' | 'bad sdp'} kind
   * @returns {Promise<string>} how the stream ended
   */
  async signals(relayed, kind) {
    const connection = await this.node.dial(multiaddr(relayed))
    const stream = await connection.newStream(SIGNALING, { runOnLimitedConnection: true })
    const ended = new Promise((resolve, reject) => {
      stream.addEventListener('close', () => resolve(stream.status))
      stream.addEventListener('remoteCloseWrite', () => resolve('remote closed'))
      setTimeout(() => reject(new Error(`the stream still stands: ${stream.status}`)), OUTCOME_TIMEOUT_MS)
    })
    // A message of 64 KiB + 1: two bytes of type, one of tag, three of length, the rest is text.
    const bytes = {
      oversized: () => signal(0, 'v'.repeat(64 * 1024 + 1 - 6)),
      'candidate first': () => signal(2, '{"candidate":"","sdpMid":"0","sdpMLineIndex":0}'),
      'answer first': () => signal(1, 'v=0'),
      garbage: () => Uint8Array.from([5, 0xff, 0xff, 0xff, 0xff, 0xff]),
      'bad sdp': () => signal(0, 'this is no session description'),
    }[kind]()
    stream.send(bytes)
    return ended
  }

  /** The connection that is open now. */
  raw() {
    const open = made.filter((connection) => connection.connectionState === 'connected')
    if (open.length !== 1) throw new Error(`${open.length} connections are open`)
    return open[0]
  }

  /**
   * Opens a channel past js-libp2p and sends a frame of `size` bytes on it.
   * @param {number} size
   * @returns {Promise<string>} what ended
   */
  async sendsFrame(size) {
    const connection = this.raw()
    const channel = connection.createDataChannel('')
    await new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }))
    const payload = size - 3
    const frame = new Uint8Array(size)
    frame.set([...uvarint(payload), 0x12])
    const ended = new Promise((resolve, reject) => {
      channel.addEventListener('close', () => resolve('channel closed'))
      connection.addEventListener('connectionstatechange', () => resolve(`connection ${connection.connectionState}`))
      setTimeout(() => reject(new Error(`the channel still is ${channel.readyState}`)), OUTCOME_TIMEOUT_MS)
    })
    channel.send(frame)
    return ended
  }

  /**
   * Opens channels past js-libp2p, never using them.
   * @param {number} count
   * @returns {number} how many the browser let it open
   */
  opensChannels(count) {
    const connection = this.raw()
    try {
      while (this.channels.length < count) this.channels.push(connection.createDataChannel(''))
    } catch {
      // The browser's own bound.
    }
    return this.channels.length
  }

  /** How many of them stand or may still open. */
  channelsLeft() {
    return this.channels.filter(({ readyState }) => readyState === 'open' || readyState === 'connecting').length
  }
}
