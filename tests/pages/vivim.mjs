// The package in a page: what the end-to-end, interop and bench suites call through `window.peer`.

import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'
import { ECHO, SINK, measureEcho, measurePush, readExact, serveEcho, serveSink, transfer } from './protocols.mjs'

const EVENT_TIMEOUT_MS = 30_000

/**
 * A stream of the package as the measurements see it.
 * @param {any} stream
 * @returns {import('./protocols.mjs').Duplex}
 */
function duplex(stream) {
  const reader = stream.readable.getReader()
  const writer = stream.writable.getWriter()
  /** @type {Promise<void>} */
  let last = Promise.resolve()
  return {
    write: async (bytes) => {
      await writer.ready
      last = writer.write(bytes)
      last.catch(() => undefined)
    },
    read: async () => {
      const { value, done } = await reader.read()
      return done ? undefined : value
    },
    closeWrite: async () => {
      await last
      writer.releaseLock()
      await stream.closeWrite()
    },
  }
}

/** The functions a test calls in the page. */
export class Vivim {
  /** @type {any} */
  running = undefined
  /** @type {Map<string, string[]>} */
  heard = new Map()
  /** @type {Map<string, { room: any, provider?: any, ydoc?: Y.Doc, document?: any }>} */
  open = new Map()
  /** @type {{ event: string, detail: unknown }[]} */
  events = []

  get node() {
    if (!this.running) throw new Error('start it first')
    return this.running
  }

  /**
   * @param {string[]} bootstrapPeers
   * @param {object} [config]
   */
  async create(bootstrapPeers = [], config = {}) {
    await init()
    this.running = new NetworkNode({ bootstrapPeers, iceServers: [], ...config })
    for (const event of ['started', 'stopped', 'peer:connect', 'peer:disconnect', 'status', 'error', 'warning']) {
      this.running.on(event, (/** @type {unknown} */ detail) => this.events.push({ event, detail }))
    }
  }

  /**
   * @param {{ relay?: string, config?: object }} options
   * @returns {Promise<number>} milliseconds from start to a usable reservation
   */
  async start({ relay, config }) {
    await init()
    const begin = performance.now()
    await this.create(relay ? [relay] : [], config)
    await this.node.start()
    if (relay) await this.reserved()
    const took = performance.now() - begin
    await this.node.handle(ECHO, (/** @type {any} */ stream) => serveEcho(duplex(stream)))
    await this.node.handle(SINK, (/** @type {any} */ stream) => serveSink(duplex(stream)))
    return took
  }

  /** @returns {string | undefined} */
  circuitAddress() {
    return this.node.getListenAddresses().find((/** @type {string} */ addr) => addr.includes('/p2p-circuit'))
  }

  /** Waits for an address that others can dial through the relay. */
  reserved() {
    return this.when('a reservation', ['status', 'connection', 'reservation'], () => this.circuitAddress() !== undefined)
  }

  /**
   * Looks at once and then at every event: nothing here sleeps.
   * @param {string} what
   * @param {string[]} events
   * @param {() => unknown} look
   */
  async when(what, events, look) {
    /** @type {(() => void)[]} */
    const offs = []
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let late
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let poll
    try {
      await new Promise((resolve, reject) => {
        const check = () => look() && resolve(undefined)
        for (const event of events) offs.push(this.node.on(event, check))
        // A state that changes without an event is still seen.
        poll = setInterval(check, 50)
        late = setTimeout(() => reject(new Error(`no ${what}; ${this.describe()}`)), EVENT_TIMEOUT_MS)
        check()
      })
    } finally {
      clearTimeout(late)
      clearInterval(poll)
      for (const off of offs) off()
    }
  }

  describe() {
    return JSON.stringify({
      status: this.node.getNodeInfo().status,
      addresses: this.node.getListenAddresses(),
      connections: this.connections(),
      events: this.events.slice(-10),
    })
  }

  /** @returns {Promise<string>} where others reach this page directly */
  async address() {
    await this.reserved()
    const circuit = /** @type {string} */ (this.circuitAddress())
    const base = circuit.replace(/\/webrtc(?=\/|$)/, '').replace(/\/p2p-circuit.*$/, '/p2p-circuit')
    return `${base}/webrtc/p2p/${this.peerId()}`
  }

  peerId() {
    return this.node.getPeerId()
  }

  /** @param {string} [peer] */
  connections(peer) {
    return this.node
      .getConnections()
      .filter((/** @type {any} */ connection) => peer === undefined || connection.peerId === peer)
      .map((/** @type {any} */ connection) => ({ ...connection }))
  }

  /** @param {string} peer */
  isDirect(peer) {
    return this.connections(peer).some(
      (/** @type {any} */ connection) => connection.direct && connection.transport === 'webrtc',
    )
  }

  /** @param {string} peer */
  direct(peer) {
    return this.when(`direct connection to ${peer}`, ['connection', 'peer:connect'], () => this.isDirect(peer))
  }

  /** @param {string} address */
  connect(address) {
    return this.node.connect(address)
  }

  /**
   * @param {string} address
   * @returns {Promise<number>} milliseconds until a byte came back over the direct connection
   */
  async dial(address) {
    const begin = performance.now()
    const peer = await this.node.connect(address)
    await this.direct(peer)
    const stream = duplex(await this.node.openStream(peer, ECHO))
    await stream.write(new Uint8Array(1))
    await stream.read()
    const took = performance.now() - begin
    await stream.closeWrite()
    return took
  }

  /**
   * @param {string} peer
   * @param {string} protocol
   */
  async stream(peer, protocol) {
    return duplex(await this.node.openStream(peer, protocol))
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

  /**
   * @param {string} peer
   * @param {string} text
   */
  async echoText(peer, text) {
    const stream = await this.stream(peer, ECHO)
    const bytes = new TextEncoder().encode(text)
    await stream.write(bytes)
    const back = new TextDecoder().decode(await readExact(stream, bytes.length))
    await stream.closeWrite()
    return back
  }

  /** @param {string} peer */
  ping(peer) {
    return this.node.ping(peer)
  }

  /** @param {string} topic */
  subscribe(topic) {
    this.heard.set(topic, [])
    this.node.subscribe(topic, (/** @type {any} */ message) => {
      this.heard.get(topic)?.push(new TextDecoder().decode(message.data))
    })
  }

  /**
   * @param {string} topic
   * @param {string} text
   */
  publish(topic, text) {
    return this.node.publish(topic, new TextEncoder().encode(text))
  }

  /** @param {string} topic */
  messages(topic) {
    return this.heard.get(topic) ?? []
  }

  /**
   * Joins a room with a Y.Doc of the application.
   * @param {string} name
   */
  async joinWithYjs(name) {
    const room = await this.node.joinRoom(name)
    const ydoc = new Y.Doc()
    const provider = new VivimProvider(ydoc, { node: this.node, room })
    this.open.set(name, { room, ydoc, provider })
    return room.id
  }

  /**
   * Joins a room with a document in Rust.
   * @param {string} name
   */
  async joinWithYrs(name) {
    const room = await this.node.joinRoom(name)
    this.open.set(name, { room, document: room.document() })
    return room.id
  }

  /** @param {string} name */
  opened(name) {
    const found = this.open.get(name)
    if (!found) throw new Error(`room ${name} is not open`)
    return found
  }

  /** @param {string} name */
  peers(name) {
    return this.opened(name).room.peers()
  }

  /**
   * @param {string} name
   * @param {number} at negative: at the end
   * @param {string} text
   */
  insert(name, at, text) {
    const { ydoc, document } = this.opened(name)
    const target = ydoc ? ydoc.getText('text') : document.text('text')
    target.insert(at < 0 ? target.length : at, text)
  }

  /**
   * @param {string} name
   * @param {number} at
   * @param {number} length
   */
  remove(name, at, length) {
    const { ydoc, document } = this.opened(name)
    const target = ydoc ? ydoc.getText('text') : document.text('text')
    target.delete(at, length)
  }

  /**
   * @param {string} name
   * @param {string} key
   * @param {any} value
   */
  setKey(name, key, value) {
    const { ydoc, document } = this.opened(name)
    const target = ydoc ? ydoc.getMap('map') : document.map('map')
    target.set(key, value)
  }

  /** @param {string} name */
  text(name) {
    const { ydoc, document } = this.opened(name)
    return (ydoc ? ydoc.getText('text') : document.text('text')).toString()
  }

  /**
   * What two replicas are compared by. Decoded, because neither encoding orders its clients.
   * @param {string} name
   */
  state(name) {
    const { ydoc, document } = this.opened(name)
    const update = ydoc ? Y.encodeStateAsUpdate(ydoc) : document.encodeStateAsUpdate()
    const vector = ydoc ? Y.encodeStateVector(ydoc) : document.encodeStateVector()
    return { json: this.json(name), ...decoded(vector, update) }
  }

  /** @param {string} name */
  json(name) {
    const { ydoc, document } = this.opened(name)
    if (ydoc) return { text: ydoc.getText('text').toString(), map: ydoc.getMap('map').toJSON() }
    return { text: document.text('text').toString(), map: document.map('map').toJSON() }
  }

  /** @param {string} name */
  async leave(name) {
    const { room, provider, ydoc } = this.opened(name)
    provider?.destroy()
    ydoc?.destroy()
    await room.leave()
    this.open.delete(name)
  }

  async stop() {
    await this.running?.stop()
  }
}

/**
 * @param {Uint8Array} vector
 * @param {Uint8Array} update
 */
function decoded(vector, update) {
  const deletions = Y.decodeUpdate(update).ds.clients
  return {
    vector: Object.fromEntries([...Y.decodeStateVector(vector)].map(([client, clock]) => [String(client), clock])),
    deletions: Object.fromEntries(
      [...deletions].map(([client, items]) => [String(client), items.map(({ clock, len }) => [clock, len])]),
    ),
  }
}
