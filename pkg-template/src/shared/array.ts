import type { DocValue } from '../types.js'
import { place, position } from './arguments.js'
import type { Content, SharedOf } from './content.js'
import type { SharedMap } from './map.js'
import { Kind, type Handle } from './raw.js'
import { Shared } from './shared.js'
import type { SharedText } from './text.js'
import type { ArrayChange, SharedValue } from './types.js'

/**
 * A shared list of plain values and shared types. Concurrent insertions at one place all stay, one
 * after the other. Values are copied in and out: to change one in place, nest a shared type.
 */
export class SharedArray extends Shared<ArrayChange> implements Iterable<SharedValue> {
  private constructor(content: Content, handle: Handle) {
    super(content, handle)
  }

  /** @internal */
  static create(content: Content, handle: Handle): SharedArray {
    return new SharedArray(content, handle)
  }

  get length(): number {
    return this.content.read(raw => raw.listLength(this.handle))
  }

  /**
   * The value at an index, counted from the end if it's negative; undefined if there's none. A nested
   * shared type is the same object each time.
   */
  at(index: number): SharedValue | undefined {
    const found = place(index, this.length)
    return found < 0 ? undefined : this.content.value(this.content.read(raw => raw.listGet(this.handle, found)))
  }

  /** The values from `start` up to and without `end`; as `Array.prototype.slice` counts. */
  slice(start?: number, end?: number): SharedValue[] {
    return this.content.slice(this.handle, start, end)
  }

  /**
   * Inserts values at an index.
   *
   * @throws `OUT_OF_BOUNDS` behind the end, `INVALID_ARGUMENT` for what a document can't hold,
   * `TOO_LARGE`.
   */
  insert(index: number, values: readonly DocValue[]): void {
    position(index)
    this.content.edit(raw => raw.arrayInsert(this.handle, index, values))
  }

  /** Adds values at the end; gives the new length. */
  push(...values: DocValue[]): number {
    const { length } = this
    this.insert(length, values)
    return length + values.length
  }

  /** Adds values at the beginning; gives the new length. */
  unshift(...values: DocValue[]): number {
    this.insert(0, values)
    return this.length
  }

  /** Inserts a new map, at the end unless told otherwise. */
  insertMap(index = this.length, entries: { readonly [key: string]: DocValue } = {}): SharedMap {
    return this.content.change(() => {
      const map = this.#nest(index, Kind.map)
      for (const [key, value] of Object.entries(entries)) map.set(key, value)
      return map
    })
  }

  /** Inserts a new array, at the end unless told otherwise. */
  insertArray(index = this.length, values: readonly DocValue[] = []): SharedArray {
    return this.content.change(() => {
      const array = this.#nest(index, Kind.array)
      array.insert(0, values)
      return array
    })
  }

  /** Inserts a new text, at the end unless told otherwise. */
  insertText(index = this.length, initial = ''): SharedText {
    return this.content.change(() => {
      const nested = this.#nest(index, Kind.text)
      nested.insert(0, initial)
      return nested
    })
  }

  /** Deletes `length` values, and what is nested there. @throws `OUT_OF_BOUNDS` if there are less. */
  delete(index: number, length = 1): void {
    position(index)
    position(length)
    this.content.edit(raw => raw.listDelete(this.handle, index, length))
  }

  /** Deletes all values. */
  clear(): void {
    this.delete(0, this.length)
  }

  /** The values as they are when the iteration begins. */
  [Symbol.iterator](): IterableIterator<SharedValue> {
    return this.slice().values()
  }

  values(): IterableIterator<SharedValue> {
    return this[Symbol.iterator]()
  }

  entries(): IterableIterator<[number, SharedValue]> {
    return this.slice().entries()
  }

  forEach(f: (value: SharedValue, index: number, array: SharedArray) => void): void {
    this.slice().forEach((value, index) => f(value, index, this))
  }

  map<T>(f: (value: SharedValue, index: number, array: SharedArray) => T): T[] {
    return this.slice().map((value, index) => f(value, index, this))
  }

  /** As a plain array; what is nested, too. */
  toJSON(): DocValue[] {
    // The module makes nothing else of an array.
    return this.content.read(raw => raw.sharedToJson(this.handle)) as DocValue[]
  }

  #nest<K extends Kind>(index: number, kind: K): SharedOf<K> {
    position(index)
    return this.content.shared(this.content.edit(raw => raw.arrayInsertShared(this.handle, index, kind)), kind)
  }
}
