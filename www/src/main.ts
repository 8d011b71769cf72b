/** The page. The session starts first; the screen is wired up while the network is on its way. */

import { randomRoomName } from 'vivim-wasm'

import { followAddress, roomFromAddress } from './room.ts'
import { Session } from './session.ts'
import type { Debug } from './session.ts'

declare global {
  interface Window {
    /** For the console and for tests: the node, its services, the document that is open, and its text. */
    vivim: Debug
  }
}

const session = new Session(roomFromAddress(randomRoomName))
window.vivim = session.debug
followAddress((roomName) => void session.visit(roomName))
void session.start()

// In their own chunk, which the HTML preloads: evaluating the editor must not delay the lines above.
void import('./editor.ts').then(({ openEditor }) => openEditor(session))
void import('./screen.ts').then(({ openScreen }) => openScreen(session))

// When all else is there: the page is to be here the next time, too, whether its server can be reached or not.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  addEventListener('load', () => {
    // Refused where pages may keep nothing; the page works without.
    navigator.serviceWorker.register('./offline.js').catch((error: unknown) => console.warn(error))
  })
}
