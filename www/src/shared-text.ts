/**
 * CodeMirror on a shared text: what is typed goes into the document at once, what comes from elsewhere (another
 * browser, another tab, undo) is put into the editor where it belongs.
 *
 * The document tells of its changes in a microtask, in order, and never between two keystrokes without having told
 * of what came before. So positions in the editor are positions in the document, always. The editor is the only one
 * of this page that writes; whoever else does (the console, a test) does it in a turn of its own.
 */

import { Annotation, EditorSelection } from '@codemirror/state'
import type { Extension, Transaction, TransactionSpec } from '@codemirror/state'
import { EditorView, keymap, ViewPlugin } from '@codemirror/view'
import type { ViewUpdate } from '@codemirror/view'
import type { SharedText, TextChange, UndoManager, VivimDocument } from 'vivim-wasm'

import { difference, plain, toChanges } from './delta.ts'

/** Of transactions that only show what is in the document already. */
const fromDocument = Annotation.define<true>()

/** Keeps the editor and the text equal, with undo. The editor must begin with `plain(text.toDelta())`. */
export function sharedText(document: VivimDocument, text: SharedText, onRefused: (error: unknown) => void): Extension {
  const undoer = document.undoManager(text)
  const step = (run: (undoer: UndoManager) => boolean) => (): boolean => {
    if (!document.closed) run(undoer)
    return true
  }
  const undo = step((undoer) => undoer.undo())
  const redo = step((undoer) => undoer.redo())
  return [
    ViewPlugin.define((view) => new Binding(view, document, text, onRefused)),
    keymap.of([
      { key: 'Mod-z', run: undo, preventDefault: true },
      { key: 'Mod-y', mac: 'Mod-Shift-z', run: redo, preventDefault: true },
      { key: 'Mod-Shift-z', run: redo, preventDefault: true },
    ]),
    EditorView.domEventHandlers({
      // From menus, and from shaking a phone.
      beforeinput: (event) => {
        const run = event.inputType === 'historyUndo' ? undo : event.inputType === 'historyRedo' ? redo : undefined
        if (run === undefined) return false
        event.preventDefault()
        return run()
      },
    }),
  ]
}

class Binding {
  readonly #offs: (() => void)[]
  /** The editor has written in this turn, and the document is about to say so. */
  #wrote = false
  #checking = false
  #destroyed = false

  constructor(
    readonly view: EditorView,
    readonly document: VivimDocument,
    readonly text: SharedText,
    readonly onRefused: (error: unknown) => void,
  ) {
    this.#offs = [text.on('change', (change) => this.#show(change)), text.on('lost', () => this.#compare())]
  }

  update({ transactions }: ViewUpdate): void {
    for (const transaction of transactions) {
      if (transaction.docChanged && transaction.annotation(fromDocument) !== true) this.#write(transaction)
    }
  }

  destroy(): void {
    this.#destroyed = true
    for (const off of this.#offs) off()
  }

  #write({ changes }: Transaction): void {
    // The same text is about to be opened again, and the editor's owner takes care of what is typed until then.
    if (this.document.closed) return
    const edits: (() => void)[] = []
    let shift = 0
    changes.iterChanges((from, to, _from, _to, insert) => {
      const at = from + shift
      const length = to - from
      if (length > 0) edits.push(() => this.text.delete(at, length))
      if (insert.length > 0) edits.push(() => this.text.insert(at, insert.sliceString(0, insert.length, '\n')))
      shift += insert.length - length
    })
    let refused: unknown
    try {
      const [only] = edits
      // One letter needs no group, and neighbouring letters are then written together.
      if (edits.length === 1 && only !== undefined) only()
      else this.document.change(() => edits.forEach((edit) => edit()))
    } catch (error) {
      refused = error
    }
    this.#wrote = true
    if (refused !== undefined) this.onRefused(refused)
    this.#checkSoon()
  }

  /** After the document has told all that it has to tell. */
  #checkSoon(): void {
    if (this.#checking) return
    this.#checking = true
    queueMicrotask(() => {
      this.#checking = this.#wrote = false
      if (this.#destroyed || this.document.closed) return
      // An edit was refused, or somebody else of this page wrote in the same turn.
      if (this.text.length !== this.view.state.doc.length) this.#compare()
    })
  }

  #show({ delta, origin }: TextChange): void {
    if (origin === 'local' && this.#wrote) return // The editor has it.
    this.#checkSoon()
    let changes
    try {
      changes = this.view.state.changes(toChanges(delta))
    } catch {
      return // Of another text than the editor's.
    }
    const spec: TransactionSpec = { changes, annotations: fromDocument.of(true) }
    if (origin === 'undo') {
      let end = 0
      changes.iterChangedRanges((_from, _to, _start, to) => {
        end = to
      })
      spec.selection = EditorSelection.cursor(end)
      spec.scrollIntoView = true
    }
    this.view.dispatch(spec)
  }

  /** Makes the editor what the document is, by looking at all of it. */
  #compare(): void {
    const changes = difference(this.view.state.doc.toString(), plain(this.text.toDelta()))
    if (changes !== undefined) this.view.dispatch({ changes, annotations: fromDocument.of(true) })
  }
}
