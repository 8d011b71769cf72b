import type { DocValue } from '../types.js'
import { text } from './arguments.js'
import type { SharedArray } from './array.js'
import type { Content, SharedOf } from './content.js'
import { Kind, type Handle } from './raw.js'
import { Shared } from './shared.js'
import type { SharedText } from './text.js'
import type { MapChange, SharedValue } from './types.js'

/**
 * A shared map from strings to plain values and shared types. The last writer of a key wins; a plain
 * value is replaced as a whole, so nest a shared type (`setMap` and the like) where several people
 * change parts of it.
 *
 * Values are copied in and out: changing what `get` gave changes nothing until it's set again.
 */
export class SharedMap extends Shared<MapChange> implements Iterable<[string, SharedValue]> {
  private constructor(content: Content, handle: Handle) {
    super(content, handle)
  }

  /** @internal */
  static create(content: Content, handle: Handle): SharedMap {
    return new SharedMap(content, handle)
  }

  /** How many keys it has. */
  get size(): number {
    return this.content.read(raw => raw.mapSize(this.handle))
  }

  /** The value of a key; undefined if there's none. A nested shared type is the same object each time. */
  get(key: string): SharedValue | undefined {
    return this.content.value(this.content.read(raw => raw.mapGet(this.handle, key)))
  }

  /** Whether the key has a value. */
  has(key: string): boolean {
    return this.content.read(raw => raw.mapHas(this.handle, key))
  }

  /**
   * Sets a key to a plain value.
   *
   * @throws `INVALID_ARGUMENT` for what a document can't hold (functions, cycles, `undefined`),
   * `INVALID_NAME` for a key above 4 KiB, `TOO_LARGE`.
   */
  set(key: string, value: DocValue): this {
    text(key, 'a key')
    this.content.edit(raw => raw.mapSet(this.handle, key, value))
    return this
  }

  /** Sets a key to a new map. Two peers who do so at once end with one of both maps. */
  setMap(key: string, entries: { readonly [key: string]: DocValue } = {}): SharedMap {
    return this.content.change(() => {
      const map = this.#nest(key, Kind.map)
      for (const [name, value] of Object.entries(entries)) map.set(name, value)
      return map
    })
  }

  /** Sets a key to a new array. Two peers who do so at once end with one of both arrays. */
  setArray(key: string, values: readonly DocValue[] = []): SharedArray {
    return this.content.change(() => {
      const array = this.#nest(key, Kind.array)
      array.insert(0, values)
      return array
    })
  }

  /** Sets a key to a new text. Two peers who do so at once end with one of both texts. */
  setText(key: string, initial = ''): SharedText {
    return this.content.change(() => {
      const nested = this.#nest(key, Kind.text)
      nested.insert(0, initial)
      return nested
    })
  }

  /** Deletes a key, and what is nested there; false if there was none. */
  delete(key: string): boolean {
    text(key, 'a key')
    return this.content.edit(raw => raw.mapDelete(this.handle, key))
  }

  /** Deletes all keys. */
  clear(): void {
    this.content.edit(raw => raw.mapClear(this.handle))
  }

  /** The keys, sorted. */
  keys(): IterableIterator<string> {
    return this.content.read(raw => raw.mapKeys(this.handle)).values()
  }

  *values(): IterableIterator<SharedValue> {
    for (const [, value] of this) yield value
  }

  entries(): IterableIterator<[string, SharedValue]> {
    return this[Symbol.iterator]()
  }

  /** The keys and values as they are when the iteration begins, sorted by key. */
  *[Symbol.iterator](): IterableIterator<[string, SharedValue]> {
    const entries = this.content.read(raw => raw.mapEntries(this.handle))
    // Keys and values alternate.
    for (let at = 0; at + 1 < entries.length; at += 2) {
      yield [String(entries[at]), this.content.value(entries[at + 1]) ?? null]
    }
  }

  forEach(f: (value: SharedValue, key: string, map: SharedMap) => void): void {
    for (const [key, value] of this) f(value, key, this)
  }

  /** As a record; what is nested, too. */
  toJSON(): { [key: string]: DocValue } {
    // The module makes nothing else of a map.
    return this.content.read(raw => raw.sharedToJson(this.handle)) as { [key: string]: DocValue }
  }

  #nest<K extends Kind>(key: string, kind: K): SharedOf<K> {
    text(key, 'a key')
    return this.content.shared(this.content.edit(raw => raw.mapSetShared(this.handle, key, kind)), kind)
  }
}
