/**
 * Everybody's cursor and selection, drawn over the text rather than in it. A cursor inside the text, as the binding
 * would draw it, moves words and lets lines break in the middle of one; and it would put what others say about
 * themselves into a style unread. What is told is `cursor: { anchor, head }`, relative positions in base64.
 */

import { EditorSelection, StateEffect } from '@codemirror/state'
import type { Extension } from '@codemirror/state'
import { EditorView, layer, RectangleMarker, ViewPlugin } from '@codemirror/view'
import type { LayerMarker, ViewUpdate } from '@codemirror/view'
import type { AwarenessChange, RelativePosition, SharedText, VivimDocument } from 'vivim-wasm'

import { describeUser } from './profile.ts'
import type { Profile } from './profile.ts'

/** Pixels from the right edge within which a name is written to the left of its cursor. */
const LABEL_SPACE = 140

interface RemoteCursor extends Profile {
  readonly clientId: number
  readonly anchor: number
  readonly head: number
}

const moved = StateEffect.define<null>()

/** Shows the others' cursors in `text` and tells them of this one. */
export function cursors(document: VivimDocument, text: SharedText): Extension {
  const needsDrawing = (update: ViewUpdate): boolean =>
    update.docChanged ||
    update.viewportChanged ||
    update.geometryChanged ||
    update.transactions.some((transaction) => transaction.effects.some((effect) => effect.is(moved)))
  return [
    EditorView.updateListener.of((update) => {
      if (update.selectionSet || update.docChanged || update.focusChanged) publish(update.view, document, text)
    }),
    ViewPlugin.define((view) => {
      const listener = ({ added, updated, removed }: AwarenessChange): void => {
        const { clientID } = document.awareness
        const others = [...added, ...updated, ...removed].some((clientId) => clientId !== clientID)
        if (others) view.dispatch({ effects: moved.of(null) })
      }
      return { destroy: document.on('awareness', listener) }
    }),
    layer({
      above: false,
      class: 'cm-remote-selections',
      update: needsDrawing,
      markers: (view) => remote(view, document, text).flatMap((cursor) => selectionMarkers(view, cursor)),
    }),
    layer({
      above: true,
      class: 'cm-remote-cursors',
      update: needsDrawing,
      markers: (view) => remote(view, document, text).flatMap((cursor) => cursorMarkers(view, cursor)),
    }),
    theme,
  ]
}

/** A window without the focus keeps its last cursor: the others see where its writer was. */
function publish(view: EditorView, document: VivimDocument, text: SharedText): void {
  if (!view.hasFocus || document.closed) return
  const { anchor, head } = view.state.selection.main
  const { length } = text
  // Only while an edit is being refused is the text another one than the editor's.
  if (Math.max(anchor, head) > length) return
  const at = (index: number): string => encode(document.relativePosition(text, index))
  const now = { anchor: at(anchor), head: at(head) }
  const before = readCursor(document.awareness.getLocalState()?.['cursor'])
  if (before?.anchor === now.anchor && before.head === now.head) return
  document.awareness.setLocalStateField('cursor', now)
}

function remote(view: EditorView, document: VivimDocument, text: SharedText): RemoteCursor[] {
  const { awareness } = document
  const found: RemoteCursor[] = []
  for (const [clientId, state] of awareness.getStates()) {
    const cursor = clientId === awareness.clientID ? undefined : readCursor(state['cursor'])
    if (cursor === undefined) continue
    const anchor = position(cursor.anchor, view, document, text)
    const head = position(cursor.head, view, document, text)
    if (anchor === undefined || head === undefined) continue
    found.push({ clientId, anchor, head, ...describeUser(state['user'], clientId) })
  }
  return found
}

/** Reads a cursor from another browser, which may have sent anything. */
function readCursor(value: unknown): { anchor: string; head: string } | undefined {
  if (typeof value !== 'object' || value === null || !('anchor' in value) || !('head' in value)) return undefined
  const { anchor, head } = value
  return typeof anchor === 'string' && typeof head === 'string' ? { anchor, head } : undefined
}

function position(told: string, view: EditorView, document: VivimDocument, text: SharedText): number | undefined {
  try {
    const place = document.absolutePosition(decode(told))
    return place?.type === text ? Math.min(place.index, view.state.doc.length) : undefined
  } catch {
    return undefined // Not base64.
  }
}

function encode(position: RelativePosition): string {
  return btoa(String.fromCharCode(...position))
}

function decode(told: string): RelativePosition {
  return Uint8Array.from(atob(told), (character) => character.charCodeAt(0))
}

function selectionMarkers(view: EditorView, cursor: RemoteCursor): LayerMarker[] {
  if (cursor.anchor === cursor.head) return []
  const range = EditorSelection.range(cursor.anchor, cursor.head)
  return RectangleMarker.forRange(view, '', range).map((box) => new SelectionMarker(box, cursor.color))
}

function cursorMarkers(view: EditorView, cursor: RemoteCursor): LayerMarker[] {
  const range = EditorSelection.cursor(cursor.head)
  const leftward = (box: RectangleMarker): boolean => box.left > view.scrollDOM.clientWidth - LABEL_SPACE
  return RectangleMarker.forRange(view, '', range).map((box) => new CursorMarker(box, cursor, leftward(box)))
}

class SelectionMarker implements LayerMarker {
  constructor(
    readonly box: RectangleMarker,
    readonly color: string,
  ) {}

  draw(): HTMLElement {
    const drawn = document.createElement('div')
    drawn.className = 'cm-remote-selection'
    drawn.style.background = this.color
    place(drawn, this.box)
    drawn.style.width = `${this.box.width ?? 0}px`
    return drawn
  }

  eq(other: LayerMarker): boolean {
    return other instanceof SelectionMarker && other.color === this.color && other.box.eq(this.box)
  }
}

class CursorMarker implements LayerMarker {
  constructor(
    readonly box: RectangleMarker,
    readonly cursor: RemoteCursor,
    readonly leftward: boolean,
  ) {}

  draw(): HTMLElement {
    const label = document.createElement('span')
    label.className = 'cm-remote-name'
    const drawn = document.createElement('div')
    drawn.className = 'cm-remote-cursor'
    drawn.dataset['testid'] = 'remote-cursor'
    drawn.append(label)
    this.#paint(drawn)
    return drawn
  }

  update(drawn: HTMLElement, before: LayerMarker): boolean {
    if (!(before instanceof CursorMarker) || before.cursor.clientId !== this.cursor.clientId) return false
    this.#paint(drawn)
    // The name comes back with every move and fades when the writer rests, so that it doesn't cover the line above.
    for (const animation of drawn.getAnimations({ subtree: true })) animation.currentTime = 0
    return true
  }

  eq(other: LayerMarker): boolean {
    return (
      other instanceof CursorMarker &&
      other.cursor.clientId === this.cursor.clientId &&
      other.cursor.name === this.cursor.name &&
      other.cursor.color === this.cursor.color &&
      other.leftward === this.leftward &&
      other.box.eq(this.box)
    )
  }

  #paint(drawn: HTMLElement): void {
    place(drawn, this.box)
    drawn.style.background = this.cursor.color
    drawn.dataset['name'] = this.cursor.name
    drawn.classList.toggle('cm-remote-leftward', this.leftward)
    const label = drawn.firstElementChild
    if (!(label instanceof HTMLElement)) return
    label.style.background = this.cursor.color
    label.textContent = this.cursor.name
  }
}

function place(drawn: HTMLElement, box: RectangleMarker): void {
  drawn.style.left = `${box.left}px`
  drawn.style.top = `${box.top}px`
  drawn.style.height = `${box.height}px`
}

const theme = EditorView.theme({
  '.cm-remote-selections, .cm-remote-cursors': { pointerEvents: 'none' },
  '.cm-remote-selection': { opacity: '0.22' },
  '.cm-remote-cursor': { width: '2px', marginLeft: '-1px', borderRadius: '1px' },
  '.cm-remote-cursor::before': {
    content: '""',
    position: 'absolute',
    top: '-3px',
    left: '-2px',
    width: '6px',
    height: '6px',
    borderRadius: '50%',
    background: 'inherit',
  },
  '.cm-remote-name': {
    position: 'absolute',
    bottom: '100%',
    left: '-2px',
    padding: '1px 6px 2px',
    borderRadius: '5px 5px 5px 0',
    color: '#fff',
    font: '600 11px / 15px var(--ui-face)',
    whiteSpace: 'nowrap',
    animation: 'name-fade 3s forwards',
  },
  '.cm-remote-leftward .cm-remote-name': { left: 'auto', right: '-2px', borderRadius: '5px 5px 0 5px' },
})
