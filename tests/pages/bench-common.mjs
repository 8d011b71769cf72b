// What all contenders of the documents bench have in common: the trace, the clock, the longest task.

/** @typedef {[position: number, deleted: number, inserted: string]} Edit */

/** @returns {Promise<{ edits: Edit[], text: string }>} */
export async function fetchTrace() {
  return (await fetch('/trace.json')).json()
}

/** @returns {Promise<Uint8Array>} the trace's document as Yjs encodes it */
export async function fetchState() {
  return new Uint8Array(await (await fetch('/trace.bin')).arrayBuffer())
}

/**
 * @param {string} found
 * @param {string} wanted
 */
export function mustBe(found, wanted) {
  if (found !== wanted) throw new Error(`a text of ${found.length} units is not the one of ${wanted.length}`)
}

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** The longest task since it was made, in milliseconds; 0 if none took 50. */
export class LongTasks {
  longest = 0

  constructor() {
    const note = (/** @type {PerformanceObserverEntryList | { getEntries: () => PerformanceEntry[] }} */ list) => {
      for (const { duration } of list.getEntries()) this.longest = Math.max(this.longest, duration)
    }
    this.observer = new PerformanceObserver(note)
    this.observer.observe({ type: 'longtask' })
    this.note = note
  }

  /** Entries come after the task: they are waited for. */
  async end() {
    await pause(300)
    this.note({ getEntries: () => this.observer.takeRecords() })
    this.observer.disconnect()
    return this.longest
  }
}

/**
 * Edits back and forth: each side answers a letter with a letter. Gives half of each round trip in milliseconds.
 * @param {{ type: () => void, heard: (handler: () => void) => void }} side
 * @param {number} rounds
 */
export async function pingPong(side, rounds) {
  /** @type {number[]} */
  const halves = []
  /** @type {(() => void) | undefined} */
  let arrived
  side.heard(() => arrived?.())
  for (let round = 0; round < rounds; round++) {
    const answer = new Promise((resolve) => (arrived = () => resolve(undefined)))
    const begin = performance.now()
    side.type()
    await answer
    halves.push((performance.now() - begin) / 2)
    // People pause between letters; nothing of one round is under way in the next.
    await pause(4 + (round % 5))
  }
  halves.sort((a, b) => a - b)
  const at = (/** @type {number} */ part) => halves[Math.min(halves.length - 1, Math.floor(part * halves.length))]
  return { p50: at(0.5), p99: at(0.99) }
}

/**
 * @param {string} name
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name)
    opening.onupgradeneeded = () => opening.result.createObjectStore('records', { autoIncrement: true })
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
  })
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** @param {unknown} value @returns {number} the bytes and letters in a stored record */
function weigh(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength
  if (typeof value === 'string') return value.length
  if (typeof value === 'number') return 8
  if (value === null || typeof value !== 'object') return 0
  return Object.values(value).reduce((sum, part) => sum + weigh(part), 0)
}

/** All that IndexedDB holds for this origin, record by record, in bytes. */
export async function storedBytes() {
  let bytes = 0
  for (const { name } of await indexedDB.databases()) {
    const database = await openDatabase(name ?? '')
    for (const store of database.objectStoreNames) {
      const records = await done(database.transaction(store).objectStore(store).getAll())
      bytes += records.reduce((sum, record) => sum + weigh(record), 0)
    }
    database.close()
  }
  return bytes
}
