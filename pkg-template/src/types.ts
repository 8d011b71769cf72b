// The public records. They are the source of the package's types; nothing here runs.

import type { VivimError } from './errors.js'
import type { Room } from './room.js'
import type { Stream } from './stream.js'

/** What `init` accepts besides nothing: where the WebAssembly file is, or what it contains. */
export type InitInput = string | URL | Request | Response | BufferSource | WebAssembly.Module

/** A STUN or TURN server, as WebRTC's `RTCIceServer`. */
export interface IceServer {
  urls: string | readonly string[]
  username?: string | undefined
  credential?: string | undefined
}

export type LogLevel = 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** Configuration of a {@link NetworkNode}. Every field has a default. */
export interface NodeConfig {
  /** A `client` uses the network; a `selfhosted` node also serves the DHT. Default: `client`. */
  nodeType?: 'client' | 'selfhosted' | undefined
  /** Relays to stay connected to, each a multiaddr ending in `/p2p/<peer id>`. Default: none. */
  bootstrapPeers?: readonly string[] | undefined
  /**
   * The ids of peers that keep documents for others and are always there. What they have stored counts as
   * `kept` in a document's receipts. Relays don't store yet. Default: none.
   */
  storePeers?: readonly string[] | undefined
  /** Whether to upgrade relayed connections to direct ones. Default: true, where WebRTC exists. */
  enableWebRTC?: boolean | undefined
  /** Whether `put`, `get` and `findPeer` may ask the DHT. Default: true. */
  enableDHT?: boolean | undefined
  /** Whether topics work, and rooms of more than 8 peers. Default: true. */
  enableGossipsub?: boolean | undefined
  /** Connections to aim for. Default: 5. Without effect yet: members of rooms are connected to anyway. */
  minConnections?: number | undefined
  /** Connections to keep at most. Default: 50. */
  maxConnections?: number | undefined
  /** STUN and TURN servers. Default: none, which is enough within one network. */
  iceServers?: readonly IceServer[] | undefined
  /**
   * The identity: a 32-byte Ed25519 seed, or a libp2p private key in protobuf form. Default: a fresh
   * one, because two tabs with one identity would collide.
   */
  privateKey?: Uint8Array | undefined
  /**
   * Whether documents are kept in this browser (IndexedDB), and in which database. Pages of one origin
   * with the same database share its documents. Default: true, where there is IndexedDB.
   */
  storage?: boolean | { name?: string | undefined } | undefined
  /**
   * How much goes to the console. Levels below `error` exist only in debug builds of the module. The
   * first node decides for the page. Default: `off`.
   */
  logLevel?: LogLevel | undefined
}

/**
 * How well a node or a room is connected. `online`: to a relay, to no other peer yet; `relayed`: to
 * peers through a relay only; `direct`: to at least one peer directly.
 */
export type NodeStatus = 'offline' | 'connecting' | 'online' | 'relayed' | 'direct'

/** The node at a glance. */
export interface NodeInfo {
  peerId: string
  /** 32 hex digits, the same for all tabs of this browser's profile. */
  deviceId: string
  /** Addresses under which others can reach it. */
  multiaddrs: string[]
  protocols: string[]
  connections: number
  status: NodeStatus
}

/** A live connection. */
export interface Connection {
  peerId: string
  remoteAddr: string
  transport: 'webrtc' | 'websocket' | 'tcp'
  /** False if it goes through a relay. */
  direct: boolean
  /** Whether the other end is a configured relay. */
  relay: boolean
  direction: 'inbound' | 'outbound'
  /** The last round trip in milliseconds, once it was measured. */
  rtt: number | undefined
  bytesSent: number
  bytesReceived: number
  /** Milliseconds since the Unix epoch. */
  connectedAt: number
}

/** What is known of a peer. */
export interface PeerInfo {
  peerId: string
  multiaddrs: string[]
  protocols: string[]
  connected: boolean
}

/** A message on a topic. Its author's signature was verified. */
export interface PubSubMessage {
  topic: string
  from: string
  data: Uint8Array
}

/** Serves one stream of an application protocol. */
export type StreamHandler = (stream: Stream) => void | Promise<void>

/** Something worth showing although nothing failed. `code` is for programs. */
export interface Warning {
  code:
    | 'INSECURE_CONTEXT'
    | 'NO_RELAY'
    | 'OTHER'
    | 'RELAY_UNREACHABLE'
    | 'RESERVATION_REFUSED'
    | 'ROOM_REFUSED'
    | 'STORAGE_EVICTED'
    | 'STORAGE_UNAVAILABLE'
    | 'SYNC_PROTOCOL'
    | 'UPGRADE_FAILED'
    | 'WEBRTC_UNAVAILABLE'
    | 'WEBSOCKET_UNAVAILABLE'
  message: string
}

/** The events of a {@link NetworkNode} and what their handlers get. */
export interface NodeEvents {
  started: undefined
  stopped: undefined
  'peer:discovery': { peerId: string; multiaddrs: string[] }
  /** The first connection to a peer was made. */
  'peer:connect': { peerId: string }
  /** The last connection to a peer was lost. */
  'peer:disconnect': { peerId: string }
  /** `getConnections()` gives another answer than before. */
  connection: undefined
  status: { status: NodeStatus }
  warning: Warning
  /** Something failed that nobody waits for. */
  error: VivimError
}

/** What a relay allows each of its clients. */
export interface RelayLimits {
  maxCircuits: number
  maxCircuitBytes: number
  maxCircuitSecs: number
  reservationSecs: number
  maxRooms: number
}

/** A configured relay as the doctor sees it. */
export interface RelayReport {
  address: string
  /** `reserved`: others can reach this node through it. */
  state: 'disconnected' | 'connecting' | 'connected' | 'reserved'
  lastError: string | undefined
  limits: RelayLimits | undefined
}

/** One thing that the doctor found. */
export interface DoctorFinding {
  code:
    | 'CONNECTED'
    | 'INSECURE_CONTEXT'
    | 'NO_CANDIDATES'
    | 'NO_RELAY_CONFIGURED'
    | 'NO_STUN'
    | 'OFFLINE'
    | 'RELAYED_ONLY'
    | 'RELAY_REFUSED'
    | 'RELAY_UNREACHABLE'
    | 'STOPPED'
    | 'STORAGE_UNAVAILABLE'
    | 'STUN_FAILED'
    | 'UPGRADES_FAILED'
    | 'WEBRTC_DISABLED'
    | 'WEBRTC_UNAVAILABLE'
    | 'WEBSOCKET_BLOCKED'
    | 'WEBSOCKET_UNAVAILABLE'
  severity: 'info' | 'warning' | 'error'
  /** What was found, in plain words. */
  message: string
  /** What to do about it; empty if nothing. */
  hint: string
}

/** Why two peers can or can't connect. */
export interface DoctorReport {
  /** Whether nothing of severity `error` was found. */
  ok: boolean
  findings: DoctorFinding[]
  relays: RelayReport[]
  directPeers: number
  relayedPeers: number
  failedUpgrades: number
  /** The kinds of addresses that WebRTC found on this device; undefined if it wasn't asked. */
  candidates: { host: boolean; srflx: boolean; relay: boolean } | undefined
}

/** A member of a room. */
export interface RoomPeer {
  peerId: string
  connected: boolean
  direct: boolean
}

/** The events of a {@link Room}. */
export interface RoomEvents {
  /** `peers()` gives another answer than before. */
  peers: RoomPeer[]
  'peer:join': { peerId: string }
  'peer:leave': { peerId: string }
  status: { status: NodeStatus }
  /** The room was left, by `leave()` or because the node stopped. */
  left: { room: Room }
}

/**
 * What shared types can hold: plain values, copied in and out.
 *
 * A `bigint` may have 64 bits. One that is a safe integer (`Number.isSafeInteger`) is kept and read as a
 * number, also if it came from a document of Yjs, which tells the two apart. In formats and embedded
 * values, which are JSON in the encoding of Yjs, a bigint is a number for Yjs, and bytes are a list of
 * numbers for all other replicas.
 */
export type DocValue = null | boolean | number | bigint | string | Uint8Array | DocValue[] | { [key: string]: DocValue }

/**
 * A document of the application's own, such as a `Y.Doc`. All payloads are Yjs' and y-protocols' own
 * bytes of version 1. What it throws is taken as a refusal of that one payload.
 */
export interface JsReplica {
  /** The state vector. */
  summary(): Uint8Array
  /** An update with everything that the state vector lacks. */
  diff(summary: Uint8Array): Uint8Array
  /** Applies a peer's update. */
  apply(update: Uint8Array, from: string): void
  /** Applies a peer's awareness update. */
  applyAwareness?(update: Uint8Array, from: string): void
  /** All awareness states known here, this device's first; empty if there are none. */
  encodeAwareness?(to: string): Uint8Array
  /** Everything that this peer had when the exchange began has been applied. */
  onSynced?(peerId: string): void
  /** This peer has all changes up to the number that one of them was told with; `stored`: durably. */
  onReached?(peerId: string, change: number, stored: boolean): void
  /** This peer no longer exchanges this document with us. */
  onPeerLost?(peerId: string): void
  /** The document is exchanged no more: the room was left, or the node stopped. */
  onClosed?(): void
}

/** A replica's place in a room. */
export interface Attachment {
  readonly docId: string
  /**
   * Tells of a change that was made here. With a number, which counts up from 1, `onReached` tells
   * who has it; the number 0, or none, leaves that out.
   */
  update(update: Uint8Array, change?: number): void
  /** Tells of this device's awareness. */
  awareness(update: Uint8Array): void
  detach(): Promise<void>
}
