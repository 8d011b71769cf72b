/** Everything around the editor, kept equal to the session. */

import { byId, element, formatBytes, setText } from './dom.ts'
import { describeFinding, Help } from './help.ts'
import type { Keeping } from './keeping.ts'
import { KeepingList } from './keeping-list.ts'
import type { NetworkView } from './network.ts'
import { PeerList } from './peer-list.ts'
import { Picture } from './picture.ts'
import { initials, LONGEST_NAME } from './profile.ts'
import { RoomList } from './room-list.ts'
import { titleOf } from './rooms.ts'
import type { Person, Session } from './session.ts'
import { setUpShare } from './share.ts'
import { setUpSheet } from './sheet.ts'
import { describe } from './status.ts'
import type { Status } from './status.ts'

/** Milliseconds. Changes come in bursts, one per keystroke and more; one redraw for each burst is enough. */
const REDRAW_MS = 40

/** Faces in the header; the rest become a number. */
const MOST_FACES = 5

/** Wires the page to the session. */
export function openScreen(session: Session): void {
  setUpShare()
  setUpSheet()
  setUpName(session)
  setUpSave(session)

  const rooms = new RoomList(session)
  const picture = new Picture(pictureRoot())
  const list = new PeerList(byId('peers', HTMLUListElement))
  const keepingList = new KeepingList()
  const help = new Help(() => void session.retry())

  // The text may be long, and a keystroke must not wait for its title.
  let titleIsOld = true
  session.onDocument((document) => {
    titleIsOld = true
    const text = document?.text('text')
    for (const event of ['change', 'lost'] as const) {
      text?.on(event as 'change', () => {
        titleIsOld = true
      })
    }
  })

  const redraw = (): void => {
    if (titleIsOld) {
      titleIsOld = false
      const title = titleOf(session.debug.text?.toString() ?? '')
      document.title = title === '' ? 'VIVIM' : `${title} · VIVIM`
      rooms.showTitle(title)
    }
    const view = session.view()
    const people = session.people()
    const status = describe(view)
    const keeping = session.keeping()
    showStatus(status, view, keeping)
    showNotes(status, view)
    showFaces(people)
    keepingList.update(keeping)
    picture.update(view, session.profile)
    list.update(view.peers)
    help.update(status, view, keeping)
    byId('invite', HTMLElement).hidden = status.state !== 'alone'
    showTotals(view)
  }
  let waiting = false
  session.onChange(() => {
    if (waiting) return
    waiting = true
    setTimeout(() => {
      waiting = false
      redraw()
    }, REDRAW_MS)
  })
  for (const event of ['online', 'offline']) addEventListener(event, redraw)
  redraw()
}

function showStatus(status: Status, view: NetworkView, keeping: Keeping): void {
  const line = byId('status', HTMLElement)
  line.dataset['state'] = status.state
  line.dataset['tone'] = status.tone
  line.dataset['synced'] = String(view.synced)
  line.title = status.detail
  setText(byId('status-text', HTMLElement), status.text)
  // Beside the state and not in it: nobody wants each letter announced.
  const waits = keeping.unsynced > 0 && status.tone !== 'busy'
  setText(byId('waits', HTMLElement), waits ? `${keeping.unsynced.toLocaleString('en')} to send` : '')
  setText(byId('status-detail', HTMLElement), status.detail)
}

let notes = ''

/** What could be better, below the picture. What keeps the page from working at all stands above the text instead. */
function showNotes(status: Status, view: NetworkView): void {
  const working = status.state === 'relayed' || status.state === 'mixed'
  const said = new Set(view.findings.map((finding) => finding.code))
  const findings = [...(working ? view.findings : []), ...view.limitations.filter(({ code }) => !said.has(code))]
  const key = JSON.stringify(findings)
  if (key === notes) return
  notes = key
  const list = byId('notes', HTMLUListElement)
  list.hidden = findings.length === 0
  list.replaceChildren(...findings.map(describeFinding))
}

let faces = ''

function showFaces(people: readonly Person[]): void {
  const key = JSON.stringify(people)
  if (key === faces) return
  faces = key
  const root = byId('people', HTMLUListElement)
  const items = people.slice(0, MOST_FACES).map((person) => {
    const label = person.me ? `${person.name} (you)` : person.name
    const face = element('li', { class: 'face', title: label, 'data-testid': 'person', 'data-name': person.name })
    face.style.background = person.color
    face.append(
      element('span', { 'aria-hidden': 'true' }, initials(person.name)),
      element('span', { class: 'offscreen' }, label),
    )
    return face
  })
  if (people.length > MOST_FACES) {
    items.push(element('li', { class: 'face face-more' }, `+${people.length - MOST_FACES}`))
  }
  root.replaceChildren(...items)
}

/** The counters. */
function showTotals(view: NetworkView): void {
  const sent = view.peers.reduce((total, peer) => total + peer.sent.total, 0)
  const received = view.peers.reduce((total, peer) => total + peer.received.total, 0)
  const totals = sent + received === 0 ? '' : `↑ ${formatBytes(sent)}  ↓ ${formatBytes(received)}`
  setText(byId('totals', HTMLElement), totals)
}

function setUpName(session: Session): void {
  const input = byId('name', HTMLInputElement)
  input.maxLength = LONGEST_NAME
  input.value = session.profile.name
  input.addEventListener('input', () => session.rename(input.value))
  input.addEventListener('blur', () => {
    input.value = session.profile.name // An empty name isn't taken.
  })
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') input.blur()
  })
  const dot = byId('name-dot', HTMLElement)
  const paint = (): void => {
    dot.style.background = session.profile.color
  }
  session.onChange(paint)
  paint()
}

function setUpSave(session: Session): void {
  byId('save', HTMLButtonElement).addEventListener('click', () => {
    const text = session.debug.text?.toString() ?? ''
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }))
    const link = element('a', { href: url, download: fileName(document.title) })
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  })
}

function fileName(title: string): string {
  const name = title.replace(/ · VIVIM$/, '').replace(/[^\p{L}\p{N} _-]+/gu, '').trim()
  return `${name === '' || name === 'VIVIM' ? 'vivim' : name}.txt`
}

function pictureRoot(): SVGSVGElement {
  const root = document.getElementById('picture')
  if (!(root instanceof SVGSVGElement)) throw new Error('index.html has no SVG #picture')
  return root
}
