// A bare RTCDataChannel, signalled over a WebSocket hub: what no stack on top of WebRTC can beat.

import { measureEcho, measurePush, serveEcho, serveSink } from './protocols.mjs'

/** The writer waits while this much is queued, and goes on when a quarter is left. */
const HIGH_WATER = 1024 * 1024
const LOW_WATER = HIGH_WATER / 4

/** The message that stands for a half-close, which a bare channel does not have. */
const END = 'end'

/**
 * @param {RTCDataChannel} channel
 * @returns {import('./protocols.mjs').Duplex}
 */
function duplex(channel) {
  channel.binaryType = 'arraybuffer'
  channel.bufferedAmountLowThreshold = LOW_WATER
  /** @type {(Uint8Array | undefined)[]} */
  const queue = []
  /** @type {((bytes: Uint8Array | undefined) => void) | undefined} */
  let waiting
  channel.onmessage = ({ data }) => {
    const bytes = data === END ? undefined : new Uint8Array(data)
    if (waiting) {
      waiting(bytes)
      waiting = undefined
    } else queue.push(bytes)
  }
  return {
    write: async (bytes) => {
      channel.send(/** @type {any} */ (bytes))
      if (channel.bufferedAmount > HIGH_WATER) {
        await new Promise((resolve) => channel.addEventListener('bufferedamountlow', resolve, { once: true }))
      }
    },
    read: () =>
      queue.length > 0
        ? Promise.resolve(queue.shift())
        : new Promise((resolve) => {
            waiting = resolve
          }),
    closeWrite: async () => channel.send(END),
  }
}

/** The functions a bench calls in the page. */
export class Bare {
  /** @type {RTCPeerConnection | undefined} */
  connection = undefined
  /** @type {string} */
  id = crypto.randomUUID()

  /** @param {{ relay: string }} config the hub's address */
  async start({ relay }) {
    this.hub = new WebSocket(relay)
    await new Promise((resolve) => this.hub?.addEventListener('open', resolve, { once: true }))
    this.hub.addEventListener('message', ({ data }) => this.hear(JSON.parse(data).data))
    this.send({ type: 'subscribe', topics: [this.id] })
    return null
  }

  address() {
    return this.id
  }

  peerId() {
    return this.id
  }

  /** @param {object} message */
  send(message) {
    this.hub?.send(JSON.stringify(message))
  }

  /**
   * @param {string} to
   * @param {object} data
   */
  tell(to, data) {
    this.send({ type: 'publish', topic: to, data: { from: this.id, ...data } })
  }

  /** @param {string} other */
  open(other) {
    const connection = new RTCPeerConnection()
    this.connection = connection
    connection.onicecandidate = ({ candidate }) => this.tell(other, { candidate })
    connection.ondatachannel = ({ channel }) => {
      const stream = duplex(channel)
      if (channel.label === 'echo') serveEcho(stream)
      if (channel.label === 'sink') serveSink(stream)
    }
    return connection
  }

  /** @param {{ from: string, offer?: any, answer?: any, candidate?: any } | undefined} message */
  async hear(message) {
    if (!message) return
    if (message.offer) {
      this.connection?.close()
      const connection = this.open(message.from)
      await connection.setRemoteDescription(message.offer)
      await connection.setLocalDescription()
      this.tell(message.from, { answer: connection.localDescription })
    }
    if (message.answer) await this.connection?.setRemoteDescription(message.answer)
    if (message.candidate) await this.connection?.addIceCandidate(message.candidate)
  }

  /**
   * @param {string} address
   * @returns {Promise<number>} milliseconds until a byte came back
   */
  async dial(address) {
    const begin = performance.now()
    const connection = this.open(address)
    const opened = this.stream(address, 'echo')
    await connection.setLocalDescription()
    this.tell(address, { offer: connection.localDescription })
    const stream = await opened
    await stream.write(new Uint8Array(1))
    await stream.read()
    return performance.now() - begin
  }

  /**
   * @param {string} _peer
   * @param {string} label
   */
  async stream(_peer, label) {
    const channel = /** @type {RTCPeerConnection} */ (this.connection).createDataChannel(label)
    const stream = duplex(channel)
    if (channel.readyState !== 'open') {
      await new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }))
    }
    return stream
  }

  /**
   * @param {string} peer
   * @param {number} rounds
   */
  async echo(peer, rounds) {
    return measureEcho(await this.stream(peer, 'echo'), rounds)
  }

  /**
   * @param {string} peer
   * @param {number} size
   */
  async push(peer, size) {
    return measurePush(await this.stream(peer, 'sink'), size)
  }

  async stop() {
    this.connection?.close()
    this.hub?.close()
  }
}
