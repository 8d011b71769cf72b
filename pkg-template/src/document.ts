import type { RawDocument } from '../wasm/vivim_wasm.js'
import { Emitter } from './emitter.js'
import { VivimError } from './errors.js'
import type { Listener, Place } from './place.js'
import { call } from './runtime.js'
import type { DocValue } from './types.js'

/** The events of a {@link VivimDocument}. */
export interface DocumentEvents {
  /** The document changed, here or there. `update` is a Yjs update of version 1. */
  update: { update: Uint8Array; local: boolean }
  /** Everything that this peer had when the exchange began has been applied. */
  synced: { peerId: string }
}

type Change = () => void

/** A shared text. Positions count UTF-16 code units, as JavaScript's strings do. */
export class DocText {
  readonly #raw: RawDocument
  readonly #name: string
  readonly #change: (change: Change) => void

  private constructor(raw: RawDocument, name: string, change: (change: Change) => void) {
    this.#raw = raw
    this.#name = name
    this.#change = change
  }

  /** @internal */
  static create(raw: RawDocument, name: string, change: (change: Change) => void): DocText {
    return new DocText(raw, name, change)
  }

  get length(): number {
    return call(() => this.#raw.textLength(this.#name))
  }

  insert(index: number, text: string): void {
    this.#change(() => this.#raw.textInsert(this.#name, position(index), text))
  }

  delete(index: number, length: number): void {
    this.#change(() => this.#raw.textDelete(this.#name, position(index), position(length)))
  }

  toString(): string {
    return call(() => this.#raw.textToString(this.#name))
  }
}

/** A shared map of plain values. The last writer of a key wins. */
export class DocMap {
  readonly #raw: RawDocument
  readonly #name: string
  readonly #change: (change: Change) => void

  private constructor(raw: RawDocument, name: string, change: (change: Change) => void) {
    this.#raw = raw
    this.#name = name
    this.#change = change
  }

  /** @internal */
  static create(raw: RawDocument, name: string, change: (change: Change) => void): DocMap {
    return new DocMap(raw, name, change)
  }

  get(key: string): DocValue | undefined {
    // The module makes nothing else.
    return call(() => this.#raw.mapGet(this.#name, key)) as DocValue | undefined
  }

  set(key: string, value: DocValue): void {
    this.#change(() => this.#raw.mapSet(this.#name, key, value))
  }

  delete(key: string): void {
    this.#change(() => this.#raw.mapDelete(this.#name, key))
  }

  toJSON(): { [key: string]: DocValue } {
    return call(() => this.#raw.mapToJson(this.#name)) as { [key: string]: DocValue }
  }
}

/**
 * A shared document, kept by the module itself. It exchanges Yjs updates with every member of the
 * room who has a document of this name open, a `Y.Doc` behind a `VivimProvider` included.
 */
export class VivimDocument {
  readonly docId: string
  /** Resolves when the document is open, that is when it's exchanged with whoever is there. */
  readonly ready: Promise<void>
  readonly #raw: RawDocument
  readonly #place: Place
  readonly #events = new Emitter<DocumentEvents>()
  readonly #change: (change: Change) => void
  #synced = false
  #closed = false
  #flushing = false

  private constructor(raw: RawDocument, open: (listener: Listener) => Place) {
    this.#raw = raw
    this.#change = change => this.#edit(change)
    this.#place = open({
      onApplied: update => this.#events.emit('update', { update, local: false }),
      onSynced: peerId => {
        this.#synced = true
        this.#events.emit('synced', { peerId })
      },
      onClosed: () => void (this.#closed = true),
    })
    this.docId = this.#place.docId
    this.ready = this.#place.ready
  }

  /** @internal */
  static create(raw: RawDocument, open: (listener: Listener) => Place): VivimDocument {
    return new VivimDocument(raw, open)
  }

  /** Whether the document has been in step with at least one peer. */
  get synced(): boolean {
    return this.#synced
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The shared text of this name. */
  text(name: string): DocText {
    return DocText.create(this.#raw, name, this.#change)
  }

  /** The shared map of this name. */
  map(name: string): DocMap {
    return DocMap.create(this.#raw, name, this.#change)
  }

  /** Everything in the document, by name. */
  toJSON(): { [name: string]: DocValue } {
    return call(() => this.#raw.toJson()) as { [name: string]: DocValue }
  }

  /** What this document has seen, in Yjs' encoding. */
  encodeStateVector(): Uint8Array {
    return call(() => this.#raw.encodeStateVector())
  }

  /** Everything, or what a state vector lacks, as a Yjs update of version 1. */
  encodeStateAsUpdate(stateVector?: Uint8Array): Uint8Array {
    return call(() => this.#raw.encodeStateAsUpdate(stateVector))
  }

  /** Applies a Yjs update of version 1, and sends it on like a change made here. */
  applyUpdate(update: Uint8Array): void {
    this.#edit(() => this.#raw.applyUpdate(update))
  }

  /** Calls the handler at each event; gives the function that ends it. */
  on<Name extends keyof DocumentEvents>(event: Name, handler: (detail: DocumentEvents[Name]) => void): () => void {
    return this.#events.on(event, handler)
  }

  /** Exchanges the document no more. Its content can still be read. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    await this.#place.detach()
  }

  #edit(change: Change): void {
    if (this.#closed) throw new VivimError('CLOSED', 'this document was closed')
    call(change)
    if (this.#flushing) return
    // What is changed in one turn leaves together.
    this.#flushing = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#flushing = false
    for (const update of call(() => this.#raw.takeUpdates())) {
      this.#place.update(update)
      this.#events.emit('update', { update, local: true })
    }
  }
}

function position(value: number): number {
  if (!Number.isInteger(value) || value < 0) {
    throw new VivimError('INVALID_ARGUMENT', 'a position or length in a text must be a whole number from 0')
  }
  return value
}
