import { report } from '../errors.js'
import type { Content } from './content.js'
import type { Handle } from './raw.js'
import type { ChangeOf, SharedChange } from './types.js'

type Handler<Change> = (change: Change) => void

/** Of what somebody wants to know: nothing, this shared type, or also what is nested in it. */
export type Watched = 'no' | 'itself' | 'deep'

/** What all shared types of a document have in common. */
export abstract class Shared<Change extends ChangeOf<unknown>> {
  /** @internal */
  readonly content: Content
  /** @internal */
  readonly handle: Handle
  readonly #handlers = new Set<Handler<Change>>()
  readonly #lost = new Set<Handler<undefined>>()
  readonly #deep = new Set<Handler<SharedChange>>()

  protected constructor(content: Content, handle: Handle) {
    this.content = content
    this.handle = handle
  }

  /**
   * Whether it's still part of the document. One that was deleted, here or by a peer, throws `GONE` at
   * every use; roots (`doc.text(name)` and the like) are always part of it.
   */
  get attached(): boolean {
    return this.content.read(raw => raw.isAttached(this.handle))
  }

  /** As a plain value: strings, arrays and records, also of what is nested in it. */
  abstract toJSON(): unknown

  /**
   * Calls the handler after each transaction that changed this shared type itself, wherever the change
   * came from; gives the function that ends it.
   *
   * Handlers run soon after the change (in a microtask), never inside a call of this package: they may
   * read and edit as they like. Changes arrive in order and none is left out (but see `lost`), so
   * whoever applies every delta to a copy keeps it equal. One that throws is reported and hurts nobody else.
   */
  on(event: 'change', handler: (change: Change) => void): () => void
  /**
   * Calls the handler when changes were dropped that should have been told: more than 4,096 came at once.
   * Whoever keeps a copy reads it anew; later changes are told as ever.
   */
  on(event: 'lost', handler: () => void): () => void
  on(event: 'change' | 'lost', handler: (change: never) => void): () => void {
    if (event === 'lost') return this.#add(this.#lost, handler as () => void)
    if (event !== 'change') throw new TypeError(`shared types have no event '${String(event)}'`)
    return this.#add(this.#handlers, handler as Handler<Change>)
  }

  /**
   * Like {@link on}, for changes of this shared type and of all that is nested in it: one call for each
   * that a transaction changed. `path` says where in this one it is.
   */
  onDeep(handler: (change: SharedChange) => void): () => void {
    return this.#add(this.#deep, handler)
  }

  #add<T>(handlers: Set<Handler<T>>, handler: Handler<T>): () => void {
    if (typeof handler !== 'function') throw new TypeError('the handler of an event must be a function')
    // A wrapper of its own, so that the same function can be added twice and removed once.
    const entry = (change: T): void => handler(change)
    const before = this.#watched
    handlers.add(entry)
    this.#watch(before)
    return () => {
      const before = this.#watched
      if (handlers.delete(entry)) this.#watch(before)
    }
  }

  get #watched(): Watched {
    if (this.#deep.size > 0) return 'deep'
    return this.#handlers.size > 0 ? 'itself' : 'no'
  }

  #watch(before: Watched): void {
    if (this.#watched !== before) this.content.observe(this.handle, before, this.#watched)
  }

  /** @internal */
  emitLost(): void {
    tell(this.#lost, undefined)
  }

  /** @internal */
  emit(change: SharedChange): void {
    // Of this type itself the module tells just this.
    if (change.path.length === 0) tell(this.#handlers, change as SharedChange & Change)
    tell(this.#deep, change)
  }
}

function tell<T>(handlers: Set<Handler<T>>, change: T): void {
  // A copy: handlers may add and remove handlers.
  for (const handler of [...handlers]) {
    // Removed by the one before.
    if (!handlers.has(handler)) continue
    try {
      handler(change)
    } catch (error) {
      report(error)
    }
  }
}
