/** The network as this page sees it: plain values, derived from what the node reports. */

/** How data gets to somebody. */
export type Path = 'direct' | 'relayed' | 'none'

/** What the page needs of a connection the node reports. */
export interface ConnectionReport {
  readonly peerId: string
  readonly transport: string
  readonly direct: boolean
  readonly rtt?: number | undefined
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** One other member of the room. */
export interface PeerView {
  readonly peerId: string
  readonly name: string
  readonly color: string
  readonly path: Path
  /** The transport of the path in use: `webrtc`, `websocket`, `tcp`, or empty. */
  readonly transport: string
  /** Milliseconds. */
  readonly rtt: number | undefined
  readonly sent: ByteCount
  readonly received: ByteCount
}

/** Bytes over all connections to somebody, also those that are closed by now, and over the open ones. */
export interface ByteCount {
  readonly total: number
  readonly open: number
}

/** The relay, or the lack of one. */
export interface RelayView {
  readonly connected: boolean
  readonly rtt: number | undefined
}

/** Something that is wrong, and what to do about it. */
export interface Finding {
  readonly code: string
  readonly message: string
  /** Empty if there is nothing to do. */
  readonly hint: string
}

/** How far the session has come. */
export type Phase =
  /** Loading, or dialling for the first time. */
  | 'starting'
  /** The node runs and is in the room; whether anybody can be reached is in the rest of the view. */
  | 'running'
  /** The server of this page names no relay, so there is nobody to ask for the others. */
  | 'no-relay'
  /** The node can't run here. */
  | 'failed'

/** All the page shows about the network. */
export interface NetworkView {
  readonly phase: Phase
  /** What the browser says about its own connection. */
  readonly online: boolean
  /** The relay has been out of reach long enough to say so. */
  readonly unreachable: boolean
  /** Everything the others have is here. */
  readonly synced: boolean
  readonly relay: RelayView
  readonly peers: readonly PeerView[]
  readonly findings: readonly Finding[]
  /** What doesn't work in this browser, whatever the network does. */
  readonly limitations: readonly Finding[]
}

/** The best of several connections to one peer: direct before relayed, then the quicker one. */
export function best(connections: readonly ConnectionReport[]): ConnectionReport | undefined {
  return [...connections].sort(
    (a, b) => Number(b.direct) - Number(a.direct) || (a.rtt ?? Infinity) - (b.rtt ?? Infinity),
  )[0]
}

/**
 * Goes on counting, given what the open connections add up to. A connection that closes takes its count out of that
 * sum; what it carried stays counted.
 */
export function count(before: ByteCount = { total: 0, open: 0 }, open: number): ByteCount {
  return { total: before.total + Math.max(open - before.open, 0), open }
}
