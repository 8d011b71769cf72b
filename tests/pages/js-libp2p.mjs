// js-libp2p in a page: the peer of the interop suite and of the benches.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { kadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { ECHO, SINK, measureEcho, measurePush, serveEcho, serveSink, transfer } from './protocols.mjs'

const TOPIC_TIMEOUT_MS = 15_000
/**
 * Behind what it has sent, js-libp2p waits 10 s for the other side to have seen the end, and then calls the stream
 * broken: too short for a mebibyte on a machine that stands still now and then.
 */
const FIN_ACK_TIMEOUT_MS = 60_000

/**
 * A MessageStream of libp2p 3 as the measurements see it. It never pauses the sender, so what arrives is queued here.
 * @param {import('@libp2p/interface').Stream} stream
 * @returns {import('./protocols.mjs').Duplex}
 */
function duplex(stream) {
  const chunks = stream[Symbol.asyncIterator]()
  return {
    write: async (bytes) => {
      if (!stream.send(bytes)) await stream.onDrain()
    },
    read: async () => {
      const { value, done } = await chunks.next()
      return done ? undefined : value instanceof Uint8Array ? value : value.subarray()
    },
    closeWrite: () => stream.close(),
  }
}

/**
 * A WebRTC connection brings its own muxer; a relayed one runs yamux.
 * @param {import('@libp2p/interface').Connection} connection
 */
function isDirect(connection) {
  return connection.multiplexer === '/webrtc'
}

/** The functions a test calls in the page. */
export class JsLibp2p {
  /** @type {import('libp2p').Libp2p<any> | undefined} */
  running = undefined
  /** @type {Map<string, string[]>} */
  heard = new Map()

  get node() {
    if (!this.running) throw new Error('start it first')
    return this.running
  }

  /**
   * Everything up to a node that only has to be started.
   * @param {string} [relay] the relay to listen on
   */
  async create(relay) {
    this.running = await createLibp2p({
      start: false,
      addresses: { listen: relay ? [`${relay}/p2p-circuit`, '/webrtc'] : ['/webrtc'] },
      transports: [
        webSockets(),
        webRTC({ rtcConfiguration: { iceServers: [] }, dataChannel: { finAckTimeout: FIN_ACK_TIMEOUT_MS } }),
        circuitRelayTransport(),
      ],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: {
        identify: identify(),
        ping: ping(),
        pubsub: gossipsub({ allowPublishToZeroTopicPeers: false }),
        dht: kadDHT({ protocol: '/vivim/kad/1.0.0', clientMode: true }),
      },
    })
  }

  /**
   * @param {{ relay: string }} config
   * @returns {Promise<number>} milliseconds from start to a usable reservation
   */
  async start({ relay }) {
    const begin = performance.now()
    await this.create(relay)
    await this.node.start()
    await this.reserved()
    const took = performance.now() - begin
    await this.node.handle(ECHO, (stream) => serveEcho(duplex(stream)), { maxInboundStreams: 1024 })
    await this.node.handle(SINK, (stream) => serveSink(duplex(stream)), { maxInboundStreams: 1024 })
    return took
  }

  reserved() {
    return new Promise((resolve) => {
      const look = () => this.circuitAddress() !== undefined && resolve(undefined)
      this.node.addEventListener('self:peer:update', look)
      look()
    })
  }

  /** @returns {string | undefined} */
  circuitAddress() {
    return this.node
      .getMultiaddrs()
      .map(String)
      .find((addr) => addr.includes('/p2p-circuit/webrtc'))
  }

  /** @returns {Promise<string>} where others reach this page directly */
  async address() {
    await this.reserved()
    return /** @type {string} */ (this.circuitAddress())
  }

  peerId() {
    return this.node.peerId.toString()
  }

  /** @param {string} address */
  async connect(address) {
    const connection = await this.node.dial(multiaddr(address))
    return connection.remotePeer.toString()
  }

  /**
   * @param {string} address
   * @returns {Promise<number>} milliseconds until a byte came back over the direct connection
   */
  async dial(address) {
    const begin = performance.now()
    const connection = await this.node.dial(multiaddr(address))
    const stream = duplex(await connection.newStream(ECHO))
    await stream.write(new Uint8Array(1))
    await stream.read()
    const took = performance.now() - begin
    await stream.closeWrite()
    if (connection.multiplexer !== '/webrtc') throw new Error('the connection is relayed')
    return took
  }

  /** @param {string} peer */
  connections(peer) {
    return this.node
      .getConnections()
      .filter((connection) => connection.remotePeer.toString() === peer)
      .map((connection) => ({ remoteAddr: connection.remoteAddr.toString(), direct: isDirect(connection) }))
  }

  /** @param {string} peer */
  direct(peer) {
    const found = this.node
      .getConnections()
      .find((connection) => connection.remotePeer.toString() === peer && isDirect(connection))
    if (!found) throw new Error(`no direct connection to ${peer}`)
    return found
  }

  /**
   * @param {string} peer
   * @param {string} protocol
   */
  async stream(peer, protocol) {
    return duplex(await this.direct(peer).newStream(protocol))
  }

  /**
   * @param {string} peer
   * @param {number} rounds
   */
  async echo(peer, rounds) {
    return measureEcho(await this.stream(peer, ECHO), rounds)
  }

  /**
   * @param {string} peer
   * @param {number} size
   */
  async push(peer, size) {
    return measurePush(await this.stream(peer, SINK), size)
  }

  /**
   * @param {string} peer
   * @param {number} size
   */
  async transfer(peer, size) {
    return transfer(await this.stream(peer, ECHO), size)
  }

  /** @param {string} peer */
  async ping(peer) {
    return this.node.services.ping.ping(this.direct(peer).remotePeer)
  }

  /**
   * @param {string} peer
   * @returns {Promise<string[]>} the protocols the peer's identify message named
   */
  async identified(peer) {
    const { protocols } = await this.node.services.identify.identify(this.direct(peer))
    return protocols
  }

  /** @param {string} topic */
  subscribe(topic) {
    this.heard.set(topic, [])
    this.node.services.pubsub.addEventListener('message', (/** @type {any} */ event) => {
      if (event.detail.topic === topic) this.heard.get(topic)?.push(new TextDecoder().decode(event.detail.data))
    })
    this.node.services.pubsub.subscribe(topic)
  }

  /**
   * Publishes as soon as somebody is known to listen.
   * @param {string} topic
   * @param {string} text
   */
  async publish(topic, text) {
    const { pubsub } = this.node.services
    await new Promise((resolve, reject) => {
      const look = () => pubsub.getSubscribers(topic).length > 0 && resolve(undefined)
      pubsub.addEventListener('subscription-change', look)
      setTimeout(() => reject(new Error(`nobody subscribed to ${topic}`)), TOPIC_TIMEOUT_MS)
      look()
    })
    await pubsub.publish(topic, new TextEncoder().encode(text))
  }

  /** @param {string} topic */
  messages(topic) {
    return this.heard.get(topic) ?? []
  }

  async stop() {
    await this.running?.stop()
  }
}
