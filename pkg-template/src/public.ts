// Everything but `init`, which differs between browsers and Node.

export { NetworkNode } from './network-node.js'
export { Room } from './room.js'
export { VivimDocument } from './document.js'
export { CRDTSyncService } from './crdt-sync.js'
export { DocumentAwareness } from './awareness.js'
export * from './shared/index.js'
export { Stream } from './stream.js'
export { VivimError } from './errors.js'
export { randomRoomName, roomLink, roomNameFromLink } from './links.js'
export { VERSION } from './version.js'
export { whole } from './whole.js'
export type { VivimErrorCode } from './errors.js'
export type { DocumentConflict, DocumentEvents, Receipts, StorageEvent, SyncState } from './document.js'
export type { CRDTSyncEvents, CRDTSyncOptions, DocumentConfig, DocumentInfo } from './crdt-sync.js'
export type { AwarenessChange, AwarenessEvents, AwarenessState } from './awareness.js'
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
