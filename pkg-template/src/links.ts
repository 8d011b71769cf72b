import { VivimError } from './errors.js'

/** Bytes of a generated room name: it can't be guessed. */
const NAME_BYTES = 16

/** A room name of 128 random bits, in 22 characters that need no escaping in a link. */
export function randomRoomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(NAME_BYTES))
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * A link to share. The name goes behind `#`, so that no server sees it. Anyone with the link can
 * read and write in the room.
 *
 * @param base The page's address; what it has behind `#` is replaced.
 */
export function roomLink(base: string | URL, name: string): string {
  if (name === '') throw new VivimError('INVALID_NAME', 'a room needs a name')
  const [page] = base.toString().split('#', 1)
  return `${page ?? ''}#${encodeURIComponent(name)}`
}

/** The room name of a link made by {@link roomLink}, if it has one. */
export function roomNameFromLink(link: string | URL): string | undefined {
  const text = link.toString()
  const at = text.indexOf('#')
  if (at < 0 || at === text.length - 1) return undefined
  const name = text.slice(at + 1)
  try {
    return decodeURIComponent(name)
  } catch {
    // Somebody typed it by hand: take it as it is.
    return name
  }
}
