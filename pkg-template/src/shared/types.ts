import type { DocValue } from '../types.js'
import type { SharedArray } from './array.js'
import type { SharedMap } from './map.js'
import type { SharedText } from './text.js'
import type { SharedXmlElement, SharedXmlFragment, SharedXmlText } from './xml.js'

/** A shared type of a document. */
export type SharedType = SharedText | SharedMap | SharedArray | SharedXmlFragment | SharedXmlElement | SharedXmlText

/** What a map or an array holds: a plain value, copied in and out, or a shared type that lives in it. */
export type SharedValue = DocValue | SharedType

/** Formatting of a range of text, such as `{ bold: true }`. `null` takes an attribute away. */
export interface TextAttributes {
  [name: string]: DocValue
}

/** One step of a {@link TextDelta}, in the form that Quill and Yjs use. */
export type TextDeltaOp =
  | { insert: string | DocValue | SharedType; attributes?: TextAttributes }
  | { retain: number; attributes?: TextAttributes }
  | { delete: number }

/** Text with its formatting, or a change of it. Lengths are UTF-16 code units; an embedded value counts one. */
export type TextDelta = TextDeltaOp[]

/** One step of an {@link ArrayDelta}. */
export type ArrayDeltaOp = { insert: SharedValue[] } | { retain: number } | { delete: number }

/** A change of a list: what is kept, inserted and deleted, from its beginning. */
export type ArrayDelta = ArrayDeltaOp[]

/** What happened to one key. */
export interface KeyChange {
  action: 'add' | 'update' | 'delete'
  /** What it was before; undefined for `add`, and for a shared type that is gone. */
  oldValue: SharedValue | undefined
  /** What it is now; undefined for `delete`. */
  newValue: SharedValue | undefined
}

/** Who made a change: this document, an update that was applied, or undoing and redoing here. */
export type ChangeOrigin = 'local' | 'remote' | 'undo'

/** What all changes have in common. */
export interface ChangeOf<Target> {
  /** What was changed. */
  target: Target
  /** Where it is: keys and indexes from the shared type on which the handler was set. Empty for itself. */
  path: readonly (string | number)[]
  origin: ChangeOrigin
}

/** A change of a text. */
export interface TextChange extends ChangeOf<SharedText> {
  delta: TextDelta
}

/** A change of a map. */
export interface MapChange extends ChangeOf<SharedMap> {
  keys: ReadonlyMap<string, KeyChange>
}

/** A change of an array. */
export interface ArrayChange extends ChangeOf<SharedArray> {
  delta: ArrayDelta
}

/** A change of an XML fragment or element: of its children, its attributes or both. */
export interface XmlChange extends ChangeOf<SharedXmlFragment> {
  delta: ArrayDelta
  /** Attributes of an element; empty for a fragment. */
  keys: ReadonlyMap<string, KeyChange>
}

/** A change of any shared type. */
export type SharedChange = TextChange | MapChange | ArrayChange | XmlChange
