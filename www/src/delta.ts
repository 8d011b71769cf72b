/** Changes of a shared text as an editor's, by position. Nothing of the module or the editor is needed for it. */

/** What a `TextDelta` of the package is, as far as it matters here. */
export type Delta = readonly (
  | { readonly insert: unknown }
  | { readonly retain: number }
  | { readonly delete: number }
)[]

/** A change of an editor's text, as CodeMirror's `ChangeSpec`. All positions are of the text before. */
export interface Change {
  readonly from: number
  readonly to?: number
  readonly insert?: string
}

/** What stands in the editor for a value in the text that isn't text, such as another program's picture. */
const OBJECT = '\ufffc'

/** A delta from nothing as a string in which every position is the shared text's. */
export function plain(delta: Delta): string {
  return delta.map((op) => ('insert' in op ? inserted(op.insert) : '')).join('')
}

/** A change of a shared text as changes of an editor's. */
export function toChanges(delta: Delta): Change[] {
  const changes: Change[] = []
  let at = 0
  for (const op of delta) {
    if ('retain' in op) {
      at += op.retain
    } else if ('delete' in op) {
      changes.push({ from: at, to: at + op.delete })
      at += op.delete
    } else {
      changes.push({ from: at, insert: inserted(op.insert) })
    }
  }
  return changes
}

/** The one change that makes `after` of `before`; undefined if they are equal. */
export function difference(before: string, after: string): Required<Change> | undefined {
  if (before === after) return undefined
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before[start] === after[start]) start += 1
  let end = 0
  while (end < shorter - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1
  return { from: start, to: before.length - end, insert: after.slice(start, after.length - end) }
}

function inserted(what: unknown): string {
  return typeof what === 'string' ? what : OBJECT
}
