/** The texts on this device: a button with the name of the one that is open, and the list behind it. */

import { randomRoomName } from 'vivim-wasm'

import { byId, element, setText } from './dom.ts'
import { waiting } from './keeping.ts'
import { goToRoom } from './room.ts'
import { describeOpened } from './rooms.ts'
import type { RoomEntry } from './rooms.ts'
import type { Session } from './session.ts'

const UNTITLED = 'Untitled'

/** See the module. */
export class RoomList {
  #dialog = byId('rooms-dialog', HTMLDialogElement)
  #list = byId('rooms', HTMLUListElement)
  #name = byId('room-name', HTMLElement)
  /** The room whose removal is being asked about. */
  #asking: string | undefined

  constructor(readonly session: Session) {
    byId('rooms-open', HTMLButtonElement).addEventListener('click', () => this.#open())
    byId('rooms-close', HTMLButtonElement).addEventListener('click', () => this.#dialog.close())
    for (const id of ['room-new', 'new-room']) {
      byId(id, HTMLButtonElement).addEventListener('click', () => {
        this.#dialog.close()
        goToRoom(randomRoomName())
      })
    }
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close() // The backdrop.
    })
  }

  /** Names the text that is open. */
  showTitle(title: string): void {
    setText(this.#name, title === '' ? UNTITLED : title)
  }

  #open(): void {
    this.#asking = undefined
    void this.#draw().then(() => {
      if (!this.#dialog.open) this.#dialog.showModal()
      this.#dialog.focus() // Rather than its first button, which closes it.
    })
  }

  async #draw(): Promise<void> {
    const rooms = await this.session.rooms()
    const rows = rooms.map((room) => (room.room === this.#asking ? this.#question(room, rooms) : this.#row(room)))
    this.#list.replaceChildren(...rows)
  }

  #row(entry: RoomEntry): HTMLLIElement {
    const { room, title, unsynced, opened, current } = entry
    const name = element('span', { class: 'room-title' }, title === '' ? UNTITLED : title)
    const when = element('span', { class: 'room-when' }, current ? 'Open now' : describeOpened(opened, Date.now()))
    const link = element('a', { class: 'room-link', href: `#${encodeURIComponent(room)}`, title: room }, name, when)
    if (unsynced > 0) {
      link.append(element('span', { class: 'room-waiting', 'data-testid': 'room-unsynced' }, waiting(unsynced)))
    }
    if (current) link.setAttribute('aria-current', 'page')
    link.addEventListener('click', () => this.#dialog.close())
    const forget = element('button', { class: 'room-forget', type: 'button', 'data-testid': 'room-forget' }, 'Remove')
    forget.setAttribute('aria-label', `Remove ${title === '' ? UNTITLED : title} from this device`)
    forget.addEventListener('click', () => {
      this.#asking = room
      void this.#draw().then(() => this.#list.querySelector<HTMLElement>('[data-answer=keep]')?.focus())
    })
    return element('li', { class: 'room', 'data-testid': 'room', 'data-room': room }, link, forget)
  }

  #question(entry: RoomEntry, rooms: readonly RoomEntry[]): HTMLLIElement {
    const { room, title, unsynced, current } = entry
    const name = title === '' ? UNTITLED : `“${title}”`
    const changes = unsynced === 1 ? 'One change is' : `${unsynced.toLocaleString('en')} changes are`
    const loss =
      unsynced === 0 ? 'Others who have it keep it.' : `${changes} with nobody else and would be lost.`
    const keep = element('button', { class: 'button', type: 'button', 'data-answer': 'keep' }, 'Keep')
    const remove = element('button', { class: 'button button-danger', type: 'button' }, 'Remove')
    remove.dataset['testid'] = 'room-remove'
    keep.addEventListener('click', () => {
      this.#asking = undefined
      void this.#draw()
    })
    remove.addEventListener('click', () => {
      this.#asking = undefined
      const next = rooms.find((other) => other.room !== room)?.room ?? randomRoomName()
      void this.#remove(room, current ? next : undefined)
    })
    return element(
      'li',
      { class: 'room room-question', 'data-testid': 'room', 'data-room': room },
      element('p', {}, `Remove ${name} from this device? ${loss}`),
      element('span', { class: 'room-answers' }, keep, remove),
    )
  }

  async #remove(room: string, next: string | undefined): Promise<void> {
    if (next !== undefined) {
      goToRoom(next)
      await this.session.visit(next)
    }
    await this.session.forget(room)
    await this.#draw()
  }
}
