/**
 * The texts on this device. Which there are is known to the storage of documents; what they are called and whether
 * all of it has reached others is noted here, when they are open.
 */

/** What is noted of a room. */
export interface Note {
  /** The text's first line; empty if there is no text. */
  readonly title: string
  readonly unsynced: number
  /** Milliseconds since 1970. */
  readonly opened: number
}

/** What the storage says of a document, as far as it matters here. */
export interface KeptDocument {
  readonly room: string
  readonly nameInRoom: string
  readonly opened: number
}

/** A row of the list. */
export interface RoomEntry extends Note {
  readonly room: string
  readonly current: boolean
}

/** Characters of a title. */
const LONGEST_TITLE = 60

const NOTES_KEY = 'vivim.rooms'

/** What to call a text: its first line that says something. */
export function titleOf(text: string): string {
  const [first = ''] = text.trimStart().split('\n', 1)
  return first.replace(/^#+ /, '').trim().slice(0, LONGEST_TITLE).trim()
}

/** The list: this room first, then by when they were opened. Rooms in which nothing was written aren't shown. */
export function listRooms(
  kept: readonly KeptDocument[],
  notes: ReadonlyMap<string, Note>,
  current: string,
): RoomEntry[] {
  const rooms = new Map<string, RoomEntry>()
  for (const { room, nameInRoom, opened } of kept) {
    if (nameInRoom !== 'default') continue
    const note = notes.get(room)
    if (room !== current && note?.title === '') continue
    rooms.set(room, {
      room,
      title: note?.title ?? '',
      unsynced: note?.unsynced ?? 0,
      opened: Math.max(opened, note?.opened ?? 0),
      current: room === current,
    })
  }
  if (!rooms.has(current)) {
    const note = notes.get(current) ?? { title: '', unsynced: 0, opened: Date.now() }
    rooms.set(current, { room: current, ...note, current: true })
  }
  return [...rooms.values()].sort((a, b) => Number(b.current) - Number(a.current) || b.opened - a.opened)
}

/** When a text was open last: `Just now`, `5 minutes ago`, `Yesterday`, `3 November`. */
export function describeOpened(opened: number, now: number): string {
  const minutes = Math.floor((now - opened) / 60_000)
  if (minutes < 1) return 'Just now'
  if (minutes < 60) return minutes === 1 ? 'A minute ago' : `${minutes} minutes ago`
  const hours = Math.floor(minutes / 60)
  const date = new Date(opened)
  const days = Math.round((midnight(now) - midnight(opened)) / 86_400_000)
  if (days === 0) return hours === 1 ? 'An hour ago' : `${hours} hours ago`
  if (days === 1) return 'Yesterday'
  const year = date.getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' as const }
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', ...year })
}

function midnight(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0)
}

/** All notes. Nothing in the storage is trusted to have the right shape. */
export function readNotes(): Map<string, Note> {
  try {
    return parseNotes(localStorage.getItem(NOTES_KEY))
  } catch {
    return new Map()
  }
}

/** See {@link readNotes}. */
export function parseNotes(json: string | null): Map<string, Note> {
  const notes = new Map<string, Note>()
  const kept: unknown = JSON.parse(json ?? '{}')
  if (typeof kept !== 'object' || kept === null) return notes
  for (const [room, note] of Object.entries(kept)) {
    if (typeof note !== 'object' || note === null) continue
    const { title, unsynced, opened } = note as Record<string, unknown>
    if (typeof title !== 'string' || typeof unsynced !== 'number' || typeof opened !== 'number') continue
    notes.set(room, { title: title.slice(0, LONGEST_TITLE), unsynced, opened })
  }
  return notes
}

/** Notes something of one room, or that it is gone. Other tabs note theirs meanwhile, so all is read first. */
export function writeNote(room: string, note: Note | undefined): void {
  const notes = readNotes()
  if (note === undefined) notes.delete(room)
  else notes.set(room, note)
  try {
    localStorage.setItem(NOTES_KEY, JSON.stringify(Object.fromEntries(notes)))
  } catch {
    // The list then has rooms without titles.
  }
}
