/** The room in the address bar: everything after `#`, which browsers never send to a server. */

/** Characters. Longer fragments are not room names but mistakes. */
const LONGEST_NAME = 200

/** The room the page was opened with, or a new one, which is then put into the address bar. */
export function roomFromAddress(randomName: () => string): string {
  const named = roomName(location.hash)
  if (named !== undefined) return named
  const fresh = randomName()
  history.replaceState(null, '', `#${fresh}`)
  return fresh
}

/** The room a fragment names, if it names one. */
export function roomName(hash: string): string | undefined {
  let name = hash.replace(/^#/, '')
  try {
    name = decodeURIComponent(name)
  } catch {
    // A stray percent sign: the name is what was written.
  }
  name = name.trim()
  return name === '' || name.length > LONGEST_NAME ? undefined : name
}

/** Calls back when the address names another room, by a link, by the person's typing, or by going back. */
export function followAddress(onRoom: (roomName: string) => void): void {
  addEventListener('hashchange', () => {
    const named = roomName(location.hash)
    if (named !== undefined) onRoom(named)
  })
}

/** Puts another room into the address bar, which opens it. */
export function goToRoom(name: string): void {
  location.hash = `#${encodeURIComponent(name)}`
}
