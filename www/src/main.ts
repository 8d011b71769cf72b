/** The page. The session starts first; the screen is wired up while the network is on its way. */

import { randomRoomName } from 'vivim-wasm'

import { keepDraft } from './draft.ts'
import { reloadOnOtherRoom, roomFromAddress } from './room.ts'
import { Session } from './session.ts'
import type { Debug } from './session.ts'

declare global {
  interface Window {
    /** For the console and for tests: the node, room and provider (undefined until they exist), and the `Y.Doc`. */
    vivim: Debug
  }
}

const roomName = roomFromAddress(randomRoomName)
const session = new Session(roomName)
window.vivim = session.debug
keepDraft(session.ydoc, roomName)
reloadOnOtherRoom(roomName)
void session.start()

// In their own chunk, which the HTML preloads: evaluating the editor must not delay the lines above.
void import('./editor.ts').then(({ openEditor }) => openEditor(session))
void import('./screen.ts').then(({ openScreen }) => openScreen(session))
