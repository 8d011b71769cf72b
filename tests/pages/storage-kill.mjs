// Writes into a stored document until the browser is killed, and tells at once of what was flushed.

import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Edits between two flushes at most. */
const MAX_EDITS = 4

export class StorageWriter {
  /** @type {any} */
  document = undefined
  /** @type {string[]} */
  problems = []

  /** Opens the document from storage alone: no node runs. @param {string} name */
  async open(name) {
    await init()
    const service = new CRDTSyncService({ node: new NetworkNode({ bootstrapPeers: [] }) })
    service.on('storage:error', (/** @type {{ code: string, message: string }} */ { code, message }) => this.problems.push(`${code}: ${message}`))
    this.document = service.createDocument(name)
    await this.document.loaded
  }

  /** The numbers that were written and are here, as map keys and in the text. */
  found() {
    const keys = Object.keys(this.document.map('edits').toJSON()).map(Number)
    const words = this.document.text('words').toString().split(' ').filter(Boolean).map(Number)
    return { keys, words, problems: this.problems }
  }

  /** What the database holds, whatever the document says: records by store. */
  async records() {
    /** @type {Record<string, unknown>} */
    const counts = {}
    for (const { name = '', version } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name))
      for (const store of database.objectStoreNames) {
        counts[`${name} ${version} ${store}`] = await done(database.transaction(store).objectStore(store).count())
      }
      database.close()
    }
    return { counts, bytes: this.document.storedBytes, receipts: this.document.receipts() }
  }

  /**
   * Writes numbers, each into the map and into the text, until somebody ends it.
   * @param {number} from
   */
  async write(from) {
    const map = this.document.map('edits')
    const text = this.document.text('words')
    for (let next = from; ;) {
      const upto = next + 1 + (next % MAX_EDITS)
      for (; next < upto; next++) {
        map.set(`${next}`, next)
        text.insert(0, `${next} `)
      }
      await this.document.flush()
      // Not awaited: the writing goes on while the word is on its way.
      window.flushed(next - 1)
    }
  }
}
