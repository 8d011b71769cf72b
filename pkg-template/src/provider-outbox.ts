// Changes on their way out of a Y.Doc: the first of a quiet time at once, the rest together.

import * as Y from 'yjs'

/** Changes that leave as one merged update at most; merging costs more per change beyond it. */
const MAX_MERGED = 128
/** Bytes of changes that leave as one merged update. */
const MAX_MERGED_BYTES = 64 * 1024
/** Tasks that are let go before what has come meanwhile leaves: some tenths of a millisecond when idle. */
const HELD_TASKS = 16

type Send = (update: Uint8Array) => void

/**
 * Collects the changes of one turn. The first change after a quiet time leaves in the microtask
 * behind it; what follows at once waits for some tasks, so that whoever sends gets to work in between.
 * What waits is bounded: beyond the bound it is dropped, and leaves as the difference between the
 * document and what it was before. Until then Yjs isn't even asked to encode its changes.
 */
export class Outbox {
  readonly #doc: Y.Doc
  readonly #listener: (update: Uint8Array, origin: unknown, doc: Y.Doc, transaction: Y.Transaction) => void
  readonly #send: Send
  #updates: Uint8Array[] = []
  #bytes = 0
  /** The state before the first change that waits. */
  #before: Map<number, number> | undefined
  #overflowed = false
  #tasks = 0
  #state: 'quiet' | 'due' | 'busy' | 'closed' = 'quiet'

  /** `wants` says whether a change is to be sent at all, by its origin. */
  constructor(doc: Y.Doc, wants: (origin: unknown) => boolean, send: Send) {
    this.#doc = doc
    this.#send = send
    this.#listener = (update, origin, _doc, transaction) => {
      if (wants(origin)) this.#push(update, transaction.beforeState)
    }
    doc.on('update', this.#listener)
  }

  #push(update: Uint8Array, before: Map<number, number>): void {
    if (this.#before === undefined) this.#before = before
    this.#bytes += update.length
    this.#updates.push(update)
    if (this.#updates.length > 1 && (this.#updates.length > MAX_MERGED || this.#bytes > MAX_MERGED_BYTES)) {
      this.#updates = []
      this.#overflowed = true
      this.#doc.off('update', this.#listener)
    }
    if (this.#state !== 'quiet') return
    this.#state = 'due'
    queueMicrotask(() => {
      if (this.#state !== 'due') return
      this.#state = 'busy'
      this.#tasks = 0
      nextTask(this.#next)
      this.flush()
    })
  }

  readonly #next = (): void => {
    if (this.#state !== 'busy') return
    if (this.#before === undefined) {
      this.#state = 'quiet'
      return
    }
    nextTask(this.#next)
    if (++this.#tasks < HELD_TASKS && !this.#overflowed && this.#updates.length < MAX_MERGED / 2) return
    this.#tasks = 0
    this.flush()
  }

  /** Sends what waits. */
  flush(): void {
    const before = this.#before
    if (before === undefined) return
    const updates = this.#updates
    const overflowed = this.#overflowed
    this.#updates = []
    this.#bytes = 0
    this.#before = undefined
    this.#overflowed = false
    const [first] = updates
    const update = overflowed || first === undefined
      ? Y.encodeStateAsUpdate(this.#doc, Y.encodeStateVector(before))
      : updates.length === 1 ? first : Y.mergeUpdates(updates)
    if (overflowed && this.#state !== 'closed') this.#doc.on('update', this.#listener)
    this.#send(update)
  }

  /** Sends what waits, and nothing more. */
  close(): void {
    this.#state = 'closed'
    this.flush()
    this.#doc.off('update', this.#listener)
  }
}

let channel: MessageChannel | undefined
let tasks: (() => void)[] = []

/** Runs it in a task of its own, as soon as there is time. Unlike timers, not slowed down in hidden tabs. */
function nextTask(task: () => void): void {
  if (typeof setImmediate === 'function') return void setImmediate(task)
  if (channel === undefined) {
    channel = new MessageChannel()
    channel.port1.onmessage = () => {
      const now = tasks
      tasks = []
      for (const task of now) task()
    }
  }
  if (tasks.push(task) === 1) channel.port2.postMessage(undefined)
}
