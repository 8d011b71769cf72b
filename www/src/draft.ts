/**
 * What is written survives a reload of this tab, even when nobody else has it: a copy is kept in the tab's own
 * storage, which ends with the tab. It is read only on a reload or when coming back through the history; a new tab
 * gets its text from the others.
 */

import * as Y from 'yjs'

/** Characters of base64. Tab storage holds about five million; larger documents are left to the other members. */
const LARGEST_DRAFT = 2_000_000

/** Bytes given to one call of `String.fromCharCode`, which takes them as arguments. */
const CHUNK = 8_192

/** Restores this room's draft and keeps it from now on. */
export function keepDraft(doc: Y.Doc, room: string): void {
  const key = `vivim.draft.${room}`
  const [navigation] = performance.getEntriesByType('navigation')
  const type = navigation !== undefined && 'type' in navigation ? navigation.type : 'navigate'
  if (type === 'reload' || type === 'back_forward') restore(doc, key)
  addEventListener('pagehide', () => keep(doc, key))
}

function restore(doc: Y.Doc, key: string): void {
  try {
    const draft = sessionStorage.getItem(key)
    if (draft === null) return
    Y.applyUpdate(doc, Uint8Array.from(atob(draft), (character) => character.charCodeAt(0)), 'draft')
  } catch (error) {
    console.warn('The text of before the reload could not be restored', error)
  }
}

function keep(doc: Y.Doc, key: string): void {
  try {
    const update = Y.encodeStateAsUpdate(doc)
    if ((update.length * 4) / 3 > LARGEST_DRAFT) return
    let binary = ''
    for (let at = 0; at < update.length; at += CHUNK) {
      binary += String.fromCharCode(...update.subarray(at, at + CHUNK))
    }
    sessionStorage.setItem(key, btoa(binary))
  } catch {
    // No storage, or no room in it: the others still have the text.
  }
}
