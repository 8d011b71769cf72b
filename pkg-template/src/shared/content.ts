import type { RawDeltaOp, RawDocument } from '../../wasm/vivim_wasm.js'
import { VivimError } from '../errors.js'
import { call } from '../runtime.js'
import type { DocValue } from '../types.js'
import { position, range } from './arguments.js'
import { SharedArray } from './array.js'
import { changeOf, deltaOf } from './events.js'
import { SharedMap } from './map.js'
import { Kind, type Handle } from './raw.js'
import type { Watched } from './shared.js'
import { SharedText } from './text.js'
import type { SharedType, SharedValue, TextDelta } from './types.js'
import { UndoManager, type UndoOptions } from './undo.js'
import { SharedXmlElement, SharedXmlFragment, SharedXmlText } from './xml.js'

/** The class of each kind of shared type. */
interface Classes {
  [Kind.text]: SharedText
  [Kind.map]: SharedMap
  [Kind.array]: SharedArray
  [Kind.xmlFragment]: SharedXmlFragment
  [Kind.xmlElement]: SharedXmlElement
  [Kind.xmlText]: SharedXmlText
}

/** The class that shows a shared type of this kind. */
export type SharedOf<K extends Kind> = Classes[K]

/** What shared types ask of their document. */
export interface Content {
  /** Asks the module. @internal */
  read<T>(f: (raw: RawDocument) => T): T
  /** Has the module change something. @internal */
  edit<T>(f: (raw: RawDocument) => T): T
  /** Makes one change of all edits in the function. @internal */
  change<T>(f: () => T): T
  /** The one object that stands for a shared type. @internal */
  shared<K extends Kind>(handle: Handle, kind: K): SharedOf<K>
  /** What the module gave: a plain value or a shared type. @internal */
  value(raw: unknown): SharedValue | undefined
  /** Values of a list. @internal */
  slice(handle: Handle, start: number | undefined, end: number | undefined): SharedValue[]
  /** A text's delta with shared types in it. @internal */
  delta(raw: RawDeltaOp[]): TextDelta
  /** Says of what changes are wanted, and were before. @internal */
  observe(handle: Handle, before: Watched, now: Watched): void
}

/** Where a {@link RelativePosition} is now. */
export interface AbsolutePosition {
  type: SharedType
  index: number
}

/**
 * A place in a text or a list that stays where it is while others edit around it: at a letter or a
 * value, not at a number. The bytes are those of Yjs' `encodeRelativePosition`.
 */
export type RelativePosition = Uint8Array

/**
 * What is in a document: its shared types by name, and what concerns all of them. A shared type exists
 * as soon as it's asked for, and one name has one kind (`WRONG_KIND` otherwise).
 */
export abstract class DocumentContent {
  readonly #raw: RawDocument
  readonly #content: Content
  readonly #shared = new Map<Handle, SharedType>()
  readonly #undo = new Set<UndoManager>()
  #depth = 0
  #scheduled = false
  /** Somebody has asked for changes of a shared type; before that there are none. */
  #isObserved = false

  /** @internal */
  protected constructor(raw: RawDocument) {
    this.#raw = raw
    this.#content = {
      read: f => call(() => f(raw)),
      edit: f => this.edit(f),
      change: f => this.change(f),
      shared: (handle, kind) => this.#wrap(handle, kind),
      value: value => this.#value(value),
      slice: (handle, start, end) => this.#slice(handle, start, end),
      delta: delta => deltaOf(this.#content, delta),
      observe: (handle, before, now) => this.#observe(handle, before, now),
    }
  }

  /** @internal For typed documents. */
  get content(): Content {
    return this.#content
  }

  /** The shared text of this name; the same object each time. */
  text(name: string): SharedText {
    return this.#root(name, Kind.text)
  }

  /** The shared map of this name; the same object each time. */
  map(name: string): SharedMap {
    return this.#root(name, Kind.map)
  }

  /** The shared array of this name; the same object each time. */
  array(name: string): SharedArray {
    return this.#root(name, Kind.array)
  }

  /** The shared XML fragment of this name, such as an editor keeps its document in. */
  xml(name: string): SharedXmlFragment {
    return this.#root(name, Kind.xmlFragment)
  }

  /**
   * Groups edits: what the function does makes one `update` and one step to undo, also if it calls
   * `change` again. Every edit takes effect at once and can be read in the function. If it throws, what
   * was done stays, and the error goes on to the caller.
   *
   * The function must do its edits before it returns: what it does after an `await` isn't in the group.
   */
  change<T>(f: () => T): T {
    if (this.#depth === 0) this.edit(raw => raw.beginChange())
    this.#depth += 1
    try {
      return f()
    } finally {
      this.#depth -= 1
      if (this.#depth === 0) this.#end()
    }
  }

  /**
   * Undoes and redoes what is changed here in some shared types, and in what is nested in them; what
   * others change stays.
   */
  undoManager(scope: SharedType | readonly SharedType[], options: UndoOptions = {}): UndoManager {
    const types = isList(scope) ? scope : [scope]
    if (types.some(type => type.content !== this.#content)) {
      throw new VivimError('INVALID_ARGUMENT', 'a shared type of another document')
    }
    const manager = UndoManager.create(this.#content, types.map(type => type.handle), options, () => this.#undo.delete(manager))
    this.#undo.add(manager)
    return manager
  }

  /**
   * The place before the unit at this index, or behind the unit before it if `side` is `'left'`: where
   * text that is inserted at this very place by others will be.
   *
   * @throws `OUT_OF_BOUNDS` behind the end.
   */
  relativePosition(type: SharedText | SharedArray | SharedXmlFragment, index: number, side: 'left' | 'right' = 'right'): RelativePosition {
    position(index)
    return this.#content.read(raw => raw.relativePosition(type.handle, index, side === 'left'))
  }

  /**
   * Where a relative position is now; undefined if this document doesn't have what it refers to, if the
   * shared type that it was in was deleted, or if the bytes aren't a relative position.
   */
  absolutePosition(relative: RelativePosition): AbsolutePosition | undefined {
    const found = this.#content.read(raw => raw.absolutePosition(relative))
    if (found === undefined) return undefined
    const type = this.#nested(found)
    const index = found[2]
    return type === undefined || index === undefined ? undefined : { type, index }
  }

  /** What the document is now, as a Yjs snapshot of version 1: which edits it has, not their content. */
  snapshot(): Uint8Array {
    return this.#content.read(raw => raw.snapshot())
  }

  /**
   * What was in the document at a snapshot, by name.
   *
   * @throws `INVALID_UPDATE` if the bytes aren't a snapshot, `NOT_FOUND` if the snapshot has what this
   * document hasn't, `GONE` if something was deleted since: deleted content isn't kept.
   */
  toJSONAt(snapshot: Uint8Array): { [name: string]: DocValue } {
    // The module makes nothing else.
    return this.#content.read(raw => raw.jsonAt(snapshot)) as { [name: string]: DocValue }
  }

  /** Everything in the document, by name. */
  toJSON(): { [name: string]: DocValue } {
    // The module makes nothing else.
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
    this.edit(raw => raw.applyUpdate(update))
  }

  /** Throws if the document takes no edits. @internal */
  protected assertWritable(): void {}

  /** Changes something; what comes of it is delivered in a microtask. @internal */
  protected edit<T>(f: (raw: RawDocument) => T): T {
    this.assertWritable()
    const raw = this.#raw
    try {
      return call(() => f(raw))
    } finally {
      // Even if it threw: a part may have been done.
      this.#schedule()
    }
  }

  /**
   * Hands out what has happened since the last call. It runs in a microtask after edits; call it, too,
   * when an update of a peer was applied.
   * @internal
   */
  protected deliver(): void {
    if (this.#isObserved) this.#deliverChanges()
    for (const manager of [...this.#undo]) manager.refresh()
  }

  #deliverChanges(): void {
    const changes = call(() => this.#raw.takeEvents())
    if (call(() => this.#raw.takeEventsLost())) {
      for (const shared of [...this.#shared.values()]) shared.emitLost()
    }
    for (const raw of changes) {
      const change = changeOf(this.#content, raw, this.#wrap(raw.target, raw.kind))
      this.#shared.get(raw.observed)?.emit(change)
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    // What is changed in one turn leaves together.
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.deliver()
    })
  }

  #end(): void {
    call(() => this.#raw.endChange())
    this.#schedule()
  }

  #root<K extends Kind>(name: string, kind: K): SharedOf<K> {
    return this.#wrap(this.#content.read(raw => raw.root(kind, name)), kind)
  }

  #wrap<K extends Kind>(handle: Handle, kind: K): SharedOf<K> {
    let shared = this.#shared.get(handle)
    if (shared === undefined) this.#shared.set(handle, (shared = create(this.#content, handle, kind)))
    // One handle is of one kind for ever.
    return shared as SharedOf<K>
  }

  #value(raw: unknown): SharedValue | undefined {
    // The module gives nothing but plain values and nested types.
    return raw instanceof Uint32Array ? this.#nested(raw) : raw as DocValue | undefined
  }

  #nested([handle, kind]: Uint32Array): SharedType | undefined {
    return handle === undefined || kind === undefined ? undefined : this.#wrap(handle, kind as Kind)
  }

  #observe(handle: Handle, before: Watched, now: Watched): void {
    // The new one first, so that no change is missed in between.
    if (now !== 'no') {
      call(() => this.#raw.observe(handle, now === 'deep'))
      this.#isObserved = true
    }
    if (before !== 'no') call(() => this.#raw.unobserve(handle, before === 'deep'))
  }

  #slice(handle: Handle, start: number | undefined, end: number | undefined): SharedValue[] {
    const { from, to } = range(start, end, call(() => this.#raw.listLength(handle)))
    if (from === to) return []
    const values = call(() => this.#raw.listSlice(handle, from, to)) as unknown[]
    // A document of Yjs may hold `undefined`, which has no place in JSON.
    return values.map(value => this.#value(value) ?? null)
  }
}

function create(content: Content, handle: Handle, kind: Kind): SharedType {
  switch (kind) {
    case Kind.text:
      return SharedText.create(content, handle)
    case Kind.map:
      return SharedMap.create(content, handle)
    case Kind.array:
      return SharedArray.create(content, handle)
    case Kind.xmlFragment:
      return SharedXmlFragment.create(content, handle)
    case Kind.xmlElement:
      return SharedXmlElement.create(content, handle)
    case Kind.xmlText:
      return SharedXmlText.create(content, handle)
  }
}

function isList(scope: SharedType | readonly SharedType[]): scope is readonly SharedType[] {
  return Array.isArray(scope)
}
