// What both applications of the cold start measurement have in common.

/** What the first member of the room has written. */
export const WRITTEN = 'written before you came'

/**
 * Reads the room and the relay from the address, and shows the shared text.
 * @returns {{ room: string, relay: string, text: (ydoc: import('yjs').Doc) => void }}
 */
export function show() {
  const query = new URLSearchParams(location.search)
  const output = document.createElement('pre')
  document.body.append(output)
  return {
    room: query.get('room') ?? '',
    relay: query.get('relay') ?? '',
    text: (ydoc) => {
      const shared = ydoc.getText('text')
      shared.observe(() => {
        output.textContent = shared.toString()
        if (shared.toString() === WRITTEN) Object.assign(window, { seenAt: performance.now() })
      })
      if (query.get('first')) shared.insert(0, WRITTEN)
    },
  }
}
