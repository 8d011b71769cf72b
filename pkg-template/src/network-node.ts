import { NodeCore } from './core.js'
import { completeConfig, logLevel } from './config.js'
import { examine } from './doctor.js'
import { VivimError } from './errors.js'
import { deviceId, hasWebRTC } from './platform.js'
import type { Room } from './room.js'
import { call, callAsync, wasm } from './runtime.js'
import { Stream } from './stream.js'
import type {
  Connection, DoctorReport, NodeConfig, NodeEvents, NodeInfo, PeerInfo, PubSubMessage, StreamHandler,
} from './types.js'

/** A peer of the network. `await init()` first. */
export class NetworkNode {
  readonly #core: NodeCore
  readonly #config: ReturnType<typeof completeConfig>

  /**
   * Checks the configuration; nothing happens before `start()`.
   *
   * @throws VivimError `NOT_INITIALIZED`, `INVALID_CONFIG`, `INVALID_ADDRESS`, `INVALID_KEY`.
   */
  constructor(config: NodeConfig = {}) {
    const { RawNode, setLogLevel } = wasm()
    const device = deviceId()
    this.#config = completeConfig(config, device.id)
    const level = logLevel(config.logLevel)
    if (level > 0) call(() => setLogLevel(level, log))
    const raw = call(() => new RawNode({
      ...this.#config, enableWebRTC: this.#config.enableWebRTC && hasWebRTC(),
    }))
    this.#core = new NodeCore(raw, {
      webrtc: this.#config.enableWebRTC, stored: device.stored, relays: this.#config.bootstrapPeers.length,
    }, this.#config.storage)
  }

  /** Starts the node; resolves when it runs. Starting twice is harmless. */
  start(): Promise<void> {
    return this.#core.start()
  }

  /** Leaves all rooms and closes all connections. The node can be started again. */
  stop(): Promise<void> {
    return this.#core.stop()
  }

  /** Whether the node was started, and not stopped since. */
  get started(): boolean {
    return this.#core.isWanted
  }

  /** This node's id: a fresh one for each node, unless a `privateKey` was given. */
  getPeerId(): string {
    return call(() => this.#core.raw.peerId())
  }

  /** The node at a glance. */
  getNodeInfo(): NodeInfo {
    return call(() => this.#core.raw.info()) ?? {
      peerId: this.getPeerId(), deviceId: this.#config.deviceIdHex, multiaddrs: [], protocols: [], connections: 0,
      status: 'offline',
    }
  }

  /** Addresses under which others can reach this node. */
  getListenAddresses(): string[] {
    return this.getNodeInfo().multiaddrs
  }

  /** Live connections, with their transport, round-trip time and bytes. */
  getConnections(): Connection[] {
    return call(() => this.#core.raw.connections())
  }

  /**
   * Connects to a multiaddr; resolves with the peer's id.
   *
   * @throws VivimError `INVALID_ADDRESS`, `UNSUPPORTED_ADDRESS`, `UNREACHABLE`, `WRONG_PEER`,
   * `OWN_ADDRESS`, `TIMEOUT`, `STOPPED`.
   */
  connect(multiaddr: string): Promise<string> {
    return this.#ask(() => this.#core.raw.connect(text(multiaddr, 'an address')))
  }

  /** Closes all connections to a peer. */
  disconnect(peerId: string): Promise<void> {
    return this.#ask(() => this.#core.raw.disconnect(text(peerId, 'a peer id')))
  }

  /** Stores a record in the DHT. */
  put(key: string | Uint8Array, value: Uint8Array): Promise<void> {
    return this.#ask(() => this.#core.raw.put(keyBytes(key), bytes(value, 'a value')))
  }

  /** Looks a record up in the DHT; undefined if there is none. */
  get(key: string | Uint8Array): Promise<Uint8Array | undefined> {
    return this.#ask(() => this.#core.raw.get(keyBytes(key)))
  }

  /** What is known of a peer; asks the DHT when nothing is. */
  findPeer(peerId: string): Promise<PeerInfo> {
    return this.#ask(() => this.#core.raw.findPeer(text(peerId, 'a peer id')))
  }

  /**
   * Calls the handler with each message on a topic. Topics that begin with `/` are left as they
   * are, others become `/vivim/<name>`.
   */
  subscribe(topic: string, handler: (message: PubSubMessage) => void): void {
    this.#checkRunning()
    if (typeof handler !== 'function') throw new VivimError('INVALID_ARGUMENT', 'the handler of a topic must be a function')
    const { topics, raw } = this.#core
    const handlers = topics.get(text(topic, 'a topic'))
    if (handlers !== undefined) return void handlers.add(handler)
    topics.set(topic, new Set([handler]))
    callAsync(() => raw.subscribe(topic)).catch((error: unknown) => {
      topics.delete(topic)
      this.#core.fail(error)
    })
  }

  /** Ends all handlers of a topic. */
  unsubscribe(topic: string): void {
    this.#checkRunning()
    if (!this.#core.topics.delete(topic)) return
    callAsync(() => this.#core.raw.unsubscribe(topic)).catch((error: unknown) => this.#core.fail(error))
  }

  /** Sends a signed message to the topic's subscribers. That there are none is not an error. */
  publish(topic: string, data: Uint8Array): Promise<void> {
    return this.#ask(() => this.#core.raw.publish(text(topic, 'a topic'), bytes(data, 'a message')))
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof NodeEvents>(event: Name, handler: (detail: NodeEvents[Name]) => void): () => void {
    return this.#core.events.on(event, handler)
  }

  /** Finds out why peers can or can't connect. Takes up to three seconds. */
  doctor(): Promise<DoctorReport> {
    return examine(this.#core, this.#config)
  }

  /**
   * Accepts streams of an application protocol, whose name begins with `/`. A handler that throws
   * resets its stream. Gives the function that ends the acceptance.
   */
  async handle(protocol: string, handler: StreamHandler): Promise<() => void> {
    this.#checkRunning()
    if (typeof handler !== 'function') throw new VivimError('INVALID_ARGUMENT', 'the handler of a protocol must be a function')
    return this.#core.handle(text(protocol, 'a protocol'), handler)
  }

  /** Opens a stream to a connected peer, over the direct connection if there is one. */
  async openStream(peerId: string, protocol: string): Promise<Stream> {
    return Stream.create(await this.#ask(() =>
      this.#core.raw.openStream(text(peerId, 'a peer id'), text(protocol, 'a protocol'))))
  }

  /** Measures a round trip to a connected peer, in milliseconds. */
  ping(peerId: string): Promise<number> {
    return this.#ask(() => this.#core.raw.ping(text(peerId, 'a peer id')))
  }

  /** Joins a room: its members find each other through the relays. The same name gives the same room. */
  async joinRoom(name: string): Promise<Room> {
    this.#checkRunning()
    return (await this.#core.joinRoom(name)).keep()
  }

  /** @internal Joins a room for somebody who may leave it again by `unuse`. */
  async useRoom(name: string): Promise<Room> {
    this.#checkRunning()
    const room = await this.#core.joinRoom(name)
    room.use()
    return room
  }

  /** @internal For the services built on a node. */
  get core(): NodeCore {
    return this.#core
  }

  #checkRunning(): void {
    if (!this.#core.isWanted) throw new VivimError('STOPPED', 'the node is not running; call start() first')
  }

  async #ask<T>(f: () => Promise<T>): Promise<T> {
    this.#checkRunning()
    return callAsync(f)
  }
}

const LOGGERS = [undefined, 'error', 'warn', 'info', 'debug', 'debug'] as const

function log(level: number, line: string): void {
  const logger = LOGGERS[level]
  // Later: Rust is still on the stack.
  if (logger !== undefined) queueMicrotask(() => console[logger](`vivim ${line}`))
}

function text(value: string, what: string): string {
  if (typeof value !== 'string') throw new VivimError('INVALID_ARGUMENT', `${what} must be a string`)
  return value
}

function bytes(value: Uint8Array, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new VivimError('INVALID_ARGUMENT', `${what} must be a Uint8Array`)
  return value
}

function keyBytes(key: string | Uint8Array): Uint8Array {
  return typeof key === 'string' ? new TextEncoder().encode(key) : bytes(key, 'a key')
}
