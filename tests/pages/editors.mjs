// Editors that people build with, each bound to a Y.Doc behind a VivimProvider. All answer to the same names.

import { EditorState as CodeState } from '@codemirror/state'
import { EditorView as CodeView } from '@codemirror/view'
import { Editor, Extension } from '@tiptap/core'
import Collaboration from '@tiptap/extension-collaboration'
import StarterKit from '@tiptap/starter-kit'
import { yCursorPlugin as tiptapCursors } from '@tiptap/y-tiptap'
import { schema } from 'prosemirror-schema-basic'
import { EditorState, TextSelection } from 'prosemirror-state'
import { EditorView } from 'prosemirror-view'
import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import { yCollab } from 'y-codemirror.next'
import { yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import { QuillBinding } from 'y-quill'
import * as Y from 'yjs'

/**
 * What a test asks of an editor.
 * @typedef {object} Face
 * @property {HTMLElement} dom where people type
 * @property {(end: 'start' | 'end') => void} caret puts the own cursor there
 * @property {() => string} text
 * @property {() => string[]} bold the bold parts as they are shown
 * @property {() => string[]} cursors the names at the cursors of others
 * @property {(length: number) => void} [embolden] makes the first letters bold, as the editor's button does
 */

/** @typedef {{ place: HTMLElement, doc: Y.Doc, awareness: import('y-protocols/awareness').Awareness }} Binding */

/** @param {HTMLElement} dom @param {string} selector */
const texts = (dom, selector) => [...dom.querySelectorAll(selector)].map(({ textContent }) => textContent?.trim() ?? '')

/** @type {Record<string, (binding: Binding) => Face>} */
const EDITORS = {
  codemirror({ place, doc, awareness }) {
    const shared = doc.getText('code')
    const view = new CodeView({
      state: CodeState.create({ doc: shared.toString(), extensions: [yCollab(shared, awareness)] }),
      parent: place,
    })
    return {
      dom: view.contentDOM,
      caret: (end) => view.dispatch({ selection: { anchor: end === 'start' ? 0 : view.state.doc.length } }),
      text: () => view.state.doc.toString(),
      bold: () => [],
      cursors: () => texts(view.dom, '.cm-ySelectionInfo'),
    }
  },

  prosemirror({ place, doc, awareness }) {
    const plugins = [ySyncPlugin(doc.getXmlFragment('prose')), yCursorPlugin(awareness), yUndoPlugin()]
    const view = new EditorView(place, { state: EditorState.create({ schema, plugins }) })
    return {
      dom: view.dom,
      caret(end) {
        const { tr } = view.state
        view.dispatch(tr.setSelection(end === 'start' ? TextSelection.atStart(tr.doc) : TextSelection.atEnd(tr.doc)))
      },
      text: () => view.state.doc.textContent,
      bold: () => texts(view.dom, 'strong'),
      cursors: () => texts(view.dom, '.ProseMirror-yjs-cursor'),
      embolden(length) {
        const { tr } = view.state
        tr.setSelection(TextSelection.create(tr.doc, 1, 1 + length))
        view.dispatch(tr.addMark(1, 1 + length, schema.marks.strong.create()))
      },
    }
  },

  tiptap({ place, doc, awareness }) {
    const cursors = Extension.create({ name: 'cursors', addProseMirrorPlugins: () => [tiptapCursors(awareness)] })
    const extensions = [StarterKit.configure({ undoRedo: false }), Collaboration.configure({ document: doc, field: 'prose' }), cursors]
    const editor = new Editor({ element: place, extensions })
    return {
      dom: editor.view.dom,
      caret: (end) => void editor.commands.setTextSelection(end === 'start' ? 1 : editor.state.doc.content.size - 1),
      text: () => editor.getText(),
      bold: () => texts(editor.view.dom, 'strong'),
      cursors: () => texts(editor.view.dom, '.ProseMirror-yjs-cursor'),
      embolden: (length) => void editor.chain().setTextSelection({ from: 1, to: 1 + length }).toggleBold().run(),
    }
  },

  quill({ place, doc, awareness }) {
    Quill.register('modules/cursors', QuillCursors, true)
    const quill = new Quill(place, { modules: { cursors: { hideDelayMs: 60_000 }, history: { userOnly: true } } })
    new QuillBinding(doc.getText('quill'), quill, awareness)
    return {
      dom: quill.root,
      caret: (end) => quill.setSelection(end === 'start' ? 0 : quill.getLength() - 1, 0, 'user'),
      text: () => quill.getText().replace(/\n$/, ''),
      bold: () => texts(quill.root, 'strong'),
      cursors: () => texts(place, '.ql-cursor-name'),
      embolden: (length) => void quill.formatText(0, length, 'bold', true, 'user'),
    }
  },
}

export class EditorPage {
  /** @param {{ kind: string, relay: string, room: string, name: string, color: string }} options */
  async open({ kind, relay, room, name, color }) {
    await init()
    const node = new NetworkNode({ bootstrapPeers: [relay], iceServers: [] })
    await node.start()
    const doc = new Y.Doc()
    this.provider = new VivimProvider(doc, { node, room })
    this.provider.awareness.setLocalStateField('user', { name, color })
    const place = document.body.appendChild(document.createElement('div'))
    this.face = EDITORS[kind]({ place, doc, awareness: this.provider.awareness })
  }

  synced() {
    return this.provider?.synced === true
  }

  get editor() {
    if (!this.face) throw new Error('open it first')
    return this.face
  }

  /** @param {'start' | 'end'} end */
  caret(end) {
    this.editor.dom.focus()
    this.editor.caret(end)
  }

  text() {
    return this.editor.text()
  }

  bold() {
    return this.editor.bold()
  }

  cursors() {
    return this.editor.cursors()
  }

  /** @param {number} length */
  embolden(length) {
    this.editor.embolden?.(length)
  }

  leave() {
    this.provider?.destroy()
  }
}
