// The shortest application with the package: a room, a Y.Doc, its text on the page.

import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'
import { show } from './cold.mjs'

const { room, relay, text } = show()
await init()
const node = new NetworkNode({ bootstrapPeers: [relay], iceServers: [] })
const starting = node.start()
const ydoc = new Y.Doc()
text(ydoc)
await starting
new VivimProvider(ydoc, { node, room: await node.joinRoom(room) })
Object.assign(window, {
  node,
  member: () => node.getListenAddresses().some((/** @type {string} */ addr) => addr.includes('/p2p-circuit')),
})
