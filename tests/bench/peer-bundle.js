// The other side of the size comparison: js-libp2p, Yjs and noble with the functions of the package and no more.
// Everything is exported, so that nothing an application needs is shaken out.

export { createLibp2p } from 'libp2p'
export { webRTC } from '@libp2p/webrtc'
export { webSockets } from '@libp2p/websockets'
export { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
export { gossipsub } from '@libp2p/gossipsub'
export { kadDHT } from '@libp2p/kad-dht'
export { noise } from '@libp2p/noise'
export { yamux } from '@libp2p/yamux'
export { identify } from '@libp2p/identify'
export { ping } from '@libp2p/ping'
export { multiaddr } from '@multiformats/multiaddr'
export * as Y from 'yjs'
export { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from 'y-protocols/awareness'
export { readSyncMessage, writeSyncStep1, writeSyncStep2, writeUpdate } from 'y-protocols/sync'
export { ed25519, x25519 } from '@noble/curves/ed25519.js'
export { gcm } from '@noble/ciphers/aes.js'
