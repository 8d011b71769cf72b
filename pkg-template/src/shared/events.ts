// The module's changes as handlers get them.

import type { RawChange, RawDeltaOp, RawKeyChange } from '../../wasm/vivim_wasm.js'
import type { DocValue } from '../types.js'
import { SharedArray } from './array.js'
import type { Content } from './content.js'
import { SharedMap } from './map.js'
import { SharedText } from './text.js'
import type {
  ArrayDelta, KeyChange, SharedChange, SharedType, SharedValue, TextAttributes, TextDelta,
} from './types.js'

/** A change as handlers get it. */
export function changeOf(content: Content, raw: RawChange, target: SharedType): SharedChange {
  const { origin, path } = raw
  if (target instanceof SharedText) return { target, path, origin, delta: deltaOf(content, raw.delta) }
  if (target instanceof SharedMap) return { target, path, origin, keys: keysOf(content, raw.keys) }
  const delta = listDeltaOf(content, raw.delta)
  if (target instanceof SharedArray) return { target, path, origin, delta }
  return { target, path, origin, delta, keys: keysOf(content, raw.keys) }
}

/** A text's delta, with shared types in the place of their handles. */
export function deltaOf(content: Content, raw: readonly RawDeltaOp[]): TextDelta {
  return raw.map(op => {
    if (op.delete !== undefined) return { delete: op.delete }
    const attributes = op.attributes === undefined ? {} : { attributes: op.attributes as TextAttributes }
    if (op.retain !== undefined) return { retain: op.retain, ...attributes }
    return { insert: content.value(op.insert) as string | DocValue | SharedType, ...attributes }
  })
}

function listDeltaOf(content: Content, raw: readonly RawDeltaOp[]): ArrayDelta {
  return raw.map(op => {
    if (op.delete !== undefined) return { delete: op.delete }
    if (op.retain !== undefined) return { retain: op.retain }
    return { insert: (op.insert as unknown[]).map((value): SharedValue => content.value(value) ?? null) }
  })
}

function keysOf(content: Content, raw: RawKeyChange[]): ReadonlyMap<string, KeyChange> {
  return new Map(raw.map(({ key, action, oldValue, newValue }) =>
    [key, { action, oldValue: content.value(oldValue), newValue: content.value(newValue) }]))
}
