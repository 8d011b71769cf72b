import type { VivimDocument } from '../document.js'
import { Emitter } from '../emitter.js'
import { toVivimError, VivimError } from '../errors.js'
import { call, wasm } from '../runtime.js'

/** Who works on a typed document, and where time and ids come from. */
export interface SocialOptions {
  /** The DID in whose name operations are made. */
  did: string
  /** The time in milliseconds since 1970; `Date.now` if nothing else is given. */
  now?: () => number
  /** A new id for what is added without one; 128 random bits in hex if nothing else is given. */
  newId?: () => string
}

/** What a change event of a typed document tells. Read the new state from the document itself. */
export interface SocialChange {
  /** Whether all that changed was changed here. */
  local: boolean
}

/** Changes of some fields of a record; null clears an optional one. */
export type Changes<T> = { [Name in keyof T]?: T[Name] | null }

/** What is needed to add a record: some fields, the others have defaults. */
export type Adding<T, Required extends keyof T> = Pick<T, Required> & { [Name in keyof T]?: T[Name] | undefined }

/** What the typed documents have in common. */
export abstract class SocialDocument<Event extends string> {
  /** The document that all this is kept in. */
  readonly doc: VivimDocument
  /** In whose name operations are made. */
  readonly did: string
  readonly #kind: string
  readonly #now: () => number
  readonly #newId: () => string
  readonly #events = new Emitter<Record<Event, SocialChange>>()
  readonly #watched = new Map<Event, { count: number; off: () => void }>()
  readonly #waiting = new Map<Event, SocialChange>()

  protected constructor(kind: string, doc: VivimDocument, options: SocialOptions) {
    if (typeof options?.did !== 'string') throw new VivimError('INVALID_ARGUMENT', 'the option `did` must be a string')
    this.doc = doc
    this.did = options.did
    this.#kind = kind
    this.#now = options.now ?? Date.now
    this.#newId = options.newId ?? randomId
  }

  /**
   * Calls the handler after changes of this kind, wherever they came from, once for all that came
   * together; gives the function that ends it.
   */
  on(event: Event, handler: (change: SocialChange) => void): () => void {
    const off = this.#events.on(event, handler)
    const watched = this.#watched.get(event) ?? this.#watch(event)
    watched.count += 1
    let ended = false
    return () => {
      if (ended) return
      ended = true
      off()
      watched.count -= 1
      if (watched.count > 0) return
      watched.off()
      this.#watched.delete(event)
    }
  }

  /**
   * Why the rules don't allow an operation now; undefined if they do. The operation goes by its method's
   * name, its arguments by theirs.
   */
  refusal(operation: string, args: object = {}): VivimError | undefined {
    try {
      this.doc.content.read(raw => raw.socialCheck(this.#kind, operation, args, this.did, this.#now()))
      return undefined
    } catch (error) {
      return toVivimError(error)
    }
  }

  /** Makes an operation. */
  protected run(operation: string, args: object = {}): unknown {
    return this.doc.content.edit(raw => raw.social(this.#kind, operation, args, this.did, this.#now()))
  }

  /** Makes an operation with a record that gets an id if it has none; gives the id. */
  protected runWithId(operation: string, name: string, given: { id?: string | undefined }): string {
    const id = given.id ?? this.#newId()
    this.run(operation, { [name]: { ...given, id } })
    return id
  }

  /** Looks at a part of the document. The module makes nothing else than what its views promise. */
  protected view<T>(name: string, args: object = {}): T {
    return this.doc.content.read(raw => raw.socialView(this.#kind, name, args)) as T
  }

  /** The time, as operations get it. */
  protected now(): number {
    return this.#now()
  }

  #watch(event: Event): { count: number; off: () => void } {
    const roots = call(() => wasm().socialEvents(this.#kind)).filter(([, , name]) => name === event)
    const offs = roots.flatMap(([name, kind]) => {
      const root = kind === 'text' ? this.doc.text(name) : kind === 'array' ? this.doc.array(name) : this.doc.map(name)
      return [
        root.onDeep(change => this.#changed(event, change.origin !== 'remote')),
        // More has happened than is remembered one by one: whoever looks again sees it all.
        root.on('lost', () => this.#changed(event, false)),
      ]
    })
    const watched = { count: 0, off: () => { for (const off of offs) off() } }
    this.#watched.set(event, watched)
    return watched
  }

  #changed(event: Event, local: boolean): void {
    const waiting = this.#waiting.get(event)
    if (waiting !== undefined) {
      waiting.local &&= local
      return
    }
    this.#waiting.set(event, { local })
    // The other roots of this event have yet to tell of the same change.
    queueMicrotask(() => {
      const change = this.#waiting.get(event)
      this.#waiting.delete(event)
      if (change !== undefined) this.#events.emit(event, change)
    })
  }
}

function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Records by one of their fields. */
export function byField<T, Name extends keyof T>(records: readonly T[], name: Name): ReadonlyMap<T[Name], T> {
  return new Map(records.map(record => [record[name], record]))
}
