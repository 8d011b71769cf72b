// The shortest application with y-webrtc: a room, a Y.Doc, its text on the page.

import { WebrtcProvider } from 'y-webrtc'
import * as Y from 'yjs'
import { show } from './cold.mjs'

const { room, relay, text } = show()
const ydoc = new Y.Doc()
text(ydoc)
const provider = new WebrtcProvider(room, ydoc, { signaling: [relay], peerOpts: { config: { iceServers: [] } } })
Object.assign(window, { member: () => provider.signalingConns.every((/** @type {any} */ connection) => connection.connected) })
