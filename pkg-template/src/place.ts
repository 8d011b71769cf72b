import type { RawAttachment, RawEvent } from '../wasm/vivim_wasm.js'
import type { NodeCore } from './core.js'
import { report, VivimError } from './errors.js'
import { call, callAsync } from './runtime.js'
import type { Attachment, JsReplica } from './types.js'

type DocEvent = Extract<RawEvent, { docId: string }>
type Question = Extract<RawEvent, { type: 'replica' }>

interface Answer {
  kind: 'summary' | 'diff' | 'applied' | 'awareness' | 'closed' | 'malformed'
  bytes?: Uint8Array
}

/** A replica of which the module answers the questions itself (a Yrs document) and tells it the rest. */
export type Listener = Pick<JsReplica, 'onClosed'>

type Replica = JsReplica | Listener

/**
 * Runs one operation after the other: a document that is closed and opened again at once (React
 * mounts everything twice in development) must reach the node in this order.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(operation: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(operation)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

/** The place of one replica: from `attach` to `detach`. */
export class Place implements Attachment {
  readonly docId: string
  /** Resolves when the document is open. */
  readonly ready: Promise<void>
  readonly #core: NodeCore
  readonly #raw: RawAttachment
  readonly #replica: Replica
  readonly #turns: Turns
  readonly #siblings: Set<Place>
  #open = false
  #ended = false
  /** The number of the last change that the replica contains, where changes are counted. */
  #change = 0

  constructor(core: NodeCore, raw: RawAttachment, replica: Replica, turns: Turns, siblings: Set<Place>) {
    this.#core = core
    this.#raw = raw
    this.#replica = replica
    this.#turns = turns
    this.#siblings = siblings
    siblings.add(this)
    this.docId = raw.docId
    this.ready = turns.take(() => this.#enter())
    // Who waits for `ready` gets the error; who doesn't mustn't crash the process.
    this.ready.catch(() => undefined)
  }

  async #enter(): Promise<void> {
    if (this.#ended) throw new VivimError('CLOSED', 'the document was closed before it was open')
    if (this.#core.places.has(this.docId)) {
      throw new VivimError('ALREADY_OPEN', 'this document is open already on this node; use the one you have')
    }
    // Before it is open: questions come at once.
    this.#core.places.set(this.docId, this)
    try {
      const opening = callAsync(() => this.#raw.open())
      // What is told from here on reaches the node behind the opening.
      this.#open = true
      await opening
      this.#noteChange()
    } catch (error) {
      this.#open = false
      this.#forget()
      throw error
    }
  }

  #forget(): void {
    if (this.#core.places.get(this.docId) === this) {
      this.#core.places.delete(this.docId)
      call(() => this.#raw.forget())
    }
  }

  update(update: Uint8Array, change = 0): void {
    this.#change = Math.max(this.#change, change)
    if (!this.#open || this.#ended) return
    call(() => change > 0 ? this.#raw.change(update, change) : this.#raw.update(update))
  }

  /** The replica contains all changes up to this number. */
  noteChange(change: number): void {
    this.#change = Math.max(this.#change, change)
    if (this.#open && !this.#ended) this.#noteChange()
  }

  #noteChange(): void {
    if (this.#change > 0) call(() => this.#raw.noteChange(this.#change))
  }

  awareness(update: Uint8Array): void {
    if (this.#open && !this.#ended) call(() => this.#raw.awareness(update))
  }

  async detach(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#siblings.delete(this)
    await this.#turns.take(async () => {
      if (!this.#open) return
      this.#forget()
      // The room or the node may be gone by now, and the document with it.
      await callAsync(() => this.#raw.close()).catch(() => undefined)
    })
  }

  /** The room was left or the node stopped: there's nothing to close any more. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#open = false
    this.#forget()
    this.#tell(() => this.#replica.onClosed?.())
  }

  /** Opens the document again after the node was restarted behind the application's back. */
  async restore(): Promise<void> {
    if (!this.#open || this.#ended) return
    await this.#turns.take(() => callAsync(() => this.#raw.open()))
    if (!this.#ended) this.#noteChange()
  }

  dispatch(event: DocEvent): void {
    switch (event.type) {
      case 'doc:synced':
        return this.#tell(() => 'onSynced' in this.#replica && this.#replica.onSynced?.(event.peerId))
      case 'doc:reached':
        return this.#tell(() => 'onReached' in this.#replica && this.#replica.onReached?.(event.peerId, event.change, event.stored))
      case 'doc:closed':
        return this.#tell(() => 'onPeerLost' in this.#replica && this.#replica.onPeerLost?.(event.peerId))
      case 'doc:acked':
      case 'doc:updated':
      case 'replica':
    }
  }

  #tell(f: () => void): void {
    try {
      f()
    } catch (error) {
      report(error)
    }
  }

  /** What the replica says; a payload that it throws at is refused. */
  answer(question: Question): Answer {
    const replica = this.#replica
    if (this.#ended || !('summary' in replica)) return { kind: 'closed' }
    const bytes = question.bytes ?? new Uint8Array()
    try {
      switch (question.op) {
        case 'summary':
          return { kind: 'summary', bytes: replica.summary() }
        case 'diff':
          return { kind: 'diff', bytes: replica.diff(bytes) }
        case 'apply':
          replica.apply(bytes, question.peerId)
          return { kind: 'applied' }
        case 'applyAwareness':
          replica.applyAwareness?.(bytes, question.peerId)
          return { kind: 'applied' }
        case 'encodeAwareness':
          return { kind: 'awareness', bytes: replica.encodeAwareness?.(question.peerId) ?? new Uint8Array() }
      }
    } catch (error) {
      console.warn('vivim: the document refused what a peer sent', error)
      return { kind: 'malformed' }
    }
  }
}
