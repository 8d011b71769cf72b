/** The editor: CodeMirror on the shared text, with everybody's cursor. */

import { defaultKeymap } from '@codemirror/commands'
import { EditorState, RangeSetBuilder } from '@codemirror/state'
import type { Extension } from '@codemirror/state'
import { Decoration, EditorView, keymap, placeholder, ViewPlugin } from '@codemirror/view'
import type { DecorationSet, ViewUpdate } from '@codemirror/view'
import type { VivimDocument } from 'vivim-wasm'

import { cursors } from './cursors.ts'
import { difference, plain } from './delta.ts'
import { byId } from './dom.ts'
import type { Session } from './session.ts'
import { sharedText } from './shared-text.ts'

/**
 * Puts the editor on the page. It takes what is typed from the first moment; what was there already follows when the
 * storage has been read, and what was typed meanwhile goes before it.
 */
export function openEditor(session: Session): void {
  const parent = byId('editor', HTMLElement)
  parent.replaceChildren()
  const view = new EditorView({ state: stateOf('', []), parent })
  // On a phone this would open the keyboard over half of the page.
  if (matchMedia('(hover: hover)').matches) view.focus()

  let shown: VivimDocument | undefined
  const show = async (document: VivimDocument | undefined): Promise<void> => {
    const before = shown
    shown = document
    // The same text again, on another node: nobody should see that.
    const same = document !== undefined && before?.docId === document.docId
    if (before !== undefined && !same) view.setState(stateOf('', []))
    if (document === undefined) return
    await document.loaded
    if (document !== shown || document.closed) return

    const text = document.text('text')
    const content = plain(text.toDelta())
    const known = same ? plain(before.text('text').toDelta()) : ''
    const typed = difference(known, view.state.doc.toString())
    const { anchor, head } = view.state.selection.main
    view.setState(
      stateOf(content, [sharedText(document, text, (error) => session.refused(error)), cursors(document, text)]),
    )
    if (typed !== undefined && content.startsWith(known)) view.dispatch({ changes: typed })
    const last = view.state.doc.length
    if (same || typed !== undefined) {
      view.dispatch({ selection: { anchor: Math.min(anchor, last), head: Math.min(head, last) } })
    }
  }
  session.onDocument((document) => void show(document))
}

function stateOf(doc: string, extensions: readonly Extension[]): EditorState {
  return EditorState.create({
    doc,
    extensions: [
      ...extensions,
      // Others may write other ends of lines; each counts as what it is in the shared text.
      EditorState.lineSeparator.of('\n'),
      // Tab is left alone: it moves the focus, as everywhere else on the page.
      keymap.of(defaultKeymap),
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
      theme,
    ],
  })
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
