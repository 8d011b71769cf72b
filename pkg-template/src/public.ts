// Everything but `init`, which differs between browsers and Node.

export { NetworkNode } from './network-node.js'
export { Room } from './room.js'
export { DocMap, DocText, VivimDocument } from './document.js'
export { Stream } from './stream.js'
export { VivimError } from './errors.js'
export { randomRoomName, roomLink, roomNameFromLink } from './links.js'
export { VERSION } from './version.js'
export type { VivimErrorCode } from './errors.js'
export type { DocumentEvents } from './document.js'
export type {
  Attachment,
  Connection,
  DocValue,
  DoctorFinding,
  DoctorReport,
  IceServer,
  InitInput,
  JsReplica,
  LogLevel,
  NodeConfig,
  NodeEvents,
  NodeInfo,
  NodeStatus,
  PeerInfo,
  PubSubMessage,
  RelayLimits,
  RelayReport,
  RoomEvents,
  RoomPeer,
  StreamHandler,
  Warning,
} from './types.js'
