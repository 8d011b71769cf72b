import { Emitter } from '../emitter.js'
import { VivimError } from '../errors.js'
import type { Content } from './content.js'
import type { Handle } from './raw.js'

/** How edits are taken together into steps. */
export interface UndoOptions {
  /**
   * Milliseconds within which edits make one step; 500 unless told otherwise. With 0, each edit is a
   * step, or each `change`; what is typed at one place in one turn counts as one edit.
   */
  captureTimeout?: number
}

/** The events of an {@link UndoManager}. */
export interface UndoEvents {
  /** There's something else to undo or to redo than before. */
  change: { canUndo: boolean; canRedo: boolean }
}

/** As in Yjs. */
const CAPTURE_TIMEOUT = 500

/** Undoes and redoes what was changed here, and only that: what others have changed meanwhile stays. */
export class UndoManager {
  readonly #content: Content
  readonly #id: number
  readonly #events = new Emitter<UndoEvents>()
  readonly #onClosed: () => void
  #closed = false
  #canUndo = false
  #canRedo = false

  private constructor(content: Content, id: number, onClosed: () => void) {
    this.#content = content
    this.#id = id
    this.#onClosed = onClosed
  }

  /** @internal */
  static create(content: Content, scope: readonly Handle[], options: UndoOptions, onClosed: () => void): UndoManager {
    const { captureTimeout = CAPTURE_TIMEOUT } = options
    if (!Number.isFinite(captureTimeout) || captureTimeout < 0) {
      throw new VivimError('INVALID_ARGUMENT', 'captureTimeout must be a number of milliseconds from 0')
    }
    if (scope.length === 0) throw new VivimError('INVALID_ARGUMENT', 'an UndoManager needs a shared type')
    const id = content.read(raw => raw.undoOpen(Uint32Array.from(scope), captureTimeout))
    return new UndoManager(content, id, onClosed)
  }

  get canUndo(): boolean {
    return this.#depth(0) > 0
  }

  get canRedo(): boolean {
    return this.#depth(1) > 0
  }

  /** Takes the last step back; false if there was none. */
  undo(): boolean {
    this.#check()
    return this.#content.edit(raw => raw.undo(this.#id))
  }

  /** Does what was undone last again; false if there was none, or if something was changed since. */
  redo(): boolean {
    this.#check()
    return this.#content.edit(raw => raw.redo(this.#id))
  }

  /** The next change begins a new step, however soon it comes. */
  stopCapturing(): void {
    this.#check()
    this.#content.read(raw => raw.undoStop(this.#id))
  }

  /** Forgets all steps. */
  clear(): void {
    this.#check()
    // As an edit, so that handlers hear of it.
    this.#content.edit(raw => raw.undoClear(this.#id))
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof UndoEvents>(event: Name, handler: (detail: UndoEvents[Name]) => void): () => void {
    return this.#events.on(event, handler)
  }

  /** Records nothing more and forgets all steps. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#content.read(raw => raw.undoClose(this.#id))
    this.#onClosed()
  }

  /** @internal */
  refresh(): void {
    const { canUndo, canRedo } = this
    if (canUndo === this.#canUndo && canRedo === this.#canRedo) return
    this.#canUndo = canUndo
    this.#canRedo = canRedo
    this.#events.emit('change', { canUndo, canRedo })
  }

  #depth(which: 0 | 1): number {
    return this.#closed ? 0 : this.#content.read(raw => raw.undoDepth(this.#id))[which] ?? 0
  }

  #check(): void {
    if (this.#closed) throw new VivimError('CLOSED', 'this UndoManager was closed')
  }
}
