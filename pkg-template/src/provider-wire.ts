// The messages that Yjs' providers exchange, as y-protocols frames them: a kind, for sync messages
// a second one, and bytes with their length in front. All numbers are varUints.

/** What one message says. */
export type Message =
  /** What its sender has; the answer is `diff`. */
  | { kind: 'summary'; bytes: Uint8Array }
  /** What the sender of a summary lacks. */
  | { kind: 'diff'; bytes: Uint8Array }
  | { kind: 'update'; bytes: Uint8Array }
  | { kind: 'awareness'; bytes: Uint8Array }

const SYNC = 0
const AWARENESS = 1
const SYNC_KINDS = ['summary', 'diff', 'update'] as const

export function encodeMessage({ kind, bytes }: Message): Uint8Array {
  const head = kind === 'awareness' ? [AWARENESS] : [SYNC, SYNC_KINDS.indexOf(kind)]
  let length = bytes.length
  for (; length > 0x7f; length = Math.floor(length / 128)) head.push((length & 0x7f) | 0x80)
  head.push(length)
  const message = new Uint8Array(head.length + bytes.length)
  message.set(head)
  message.set(bytes, head.length)
  return message
}

/** Nothing for a message of a kind that this version doesn't know. */
export function decodeMessage(message: Uint8Array): Message | undefined {
  const [type, afterType] = varUint(message, 0)
  if (type === AWARENESS) return { kind: 'awareness', bytes: varBytes(message, afterType) }
  if (type !== SYNC) return undefined
  const [sync, afterSync] = varUint(message, afterType)
  const kind = SYNC_KINDS[sync]
  return kind === undefined ? undefined : { kind, bytes: varBytes(message, afterSync) }
}

/** Awareness updates begin with their author: a count, then the first client. */
export function firstClient(update: Uint8Array): number | undefined {
  const [count, at] = varUint(update, 0)
  return count === 0 ? undefined : varUint(update, at)[0]
}

function varBytes(bytes: Uint8Array, at: number): Uint8Array {
  const [length, start] = varUint(bytes, at)
  if (start + length > bytes.length) throw new RangeError('the message is cut off')
  return bytes.subarray(start, start + length)
}

function varUint(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0
  let scale = 1
  for (;;) {
    const byte = bytes[at++]
    if (byte === undefined || scale > Number.MAX_SAFE_INTEGER) throw new RangeError('not a varUint')
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, at]
    scale *= 128
  }
}
