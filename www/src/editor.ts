/** The editor: CodeMirror on the shared text, with everybody's cursor. */

import { defaultKeymap } from '@codemirror/commands'
import { EditorState, RangeSetBuilder } from '@codemirror/state'
import { Decoration, EditorView, keymap, placeholder, ViewPlugin } from '@codemirror/view'
import type { DecorationSet, ViewUpdate } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'

import { cursors } from './cursors.ts'
import { byId } from './dom.ts'
import type { Session } from './session.ts'

/** Puts the editor on the page. It works from the first moment, whatever the network does. */
export function openEditor({ text, awareness }: Session): void {
  const parent = byId('editor', HTMLElement)
  const state = EditorState.create({
    doc: text.toString(),
    extensions: [
      // Tab is left alone: it moves the focus, as everywhere else on the page.
      keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
      EditorView.lineWrapping,
      EditorView.perLineTextDirection.of(true),
      EditorView.contentAttributes.of({
        'aria-label': 'Shared text',
        'data-testid': 'editor',
        spellcheck: 'true',
        autocapitalize: 'sentences',
        autocorrect: 'on',
      }),
      placeholder('Start writing'),
      headings,
      yCollab(text, null),
      cursors(text, awareness),
      theme,
    ],
  })
  parent.replaceChildren()
  const view = new EditorView({ state, parent })
  // On a phone this would open the keyboard over half of the page.
  if (matchMedia('(hover: hover)').matches) view.focus()
}

const heading = Decoration.line({ class: 'cm-heading' })

/** Lines that begin like a Markdown heading look like one. Nothing else is styled: it is plain text. */
const headings = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet

    constructor(view: EditorView) {
      this.decorations = findHeadings(view)
    }

    update(update: ViewUpdate): void {
      if (update.docChanged || update.viewportChanged) this.decorations = findHeadings(update.view)
    }
  },
  { decorations: (plugin) => plugin.decorations },
)

function findHeadings(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>()
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to; ) {
      const line = view.state.doc.lineAt(at)
      if (/^#{1,3} /.test(line.text)) builder.add(line.from, line.from, heading)
      at = line.to + 1
    }
  }
  return builder.finish()
}

const theme = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--text-face)',
    fontSize: 'var(--text-size)',
    lineHeight: '1.65',
    overflowX: 'hidden',
  },
  '.cm-content': {
    width: '100%',
    maxWidth: 'var(--measure)',
    margin: '0 auto',
    padding: 'var(--page-top) 0 40vh',
    caretColor: 'var(--ink)',
  },
  // Here rather than on the content: selections are drawn as wide as the lines.
  '.cm-line': { padding: '0 var(--page-side)' },
  '.cm-heading': { fontWeight: '650', fontSize: '1.2em', lineHeight: '1.5' },
  '.cm-placeholder': { color: 'var(--muted)' },
})
