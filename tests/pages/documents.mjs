// Documents of the package in a page: what tests/e2e/documents.test.mjs calls through `window.peer`.

import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'

const U64 = (1n << 64n) - 1n
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n,
]

/**
 * XXH64 as it is published, so that the package's is compared with another one.
 * @param {Uint8Array} bytes
 * @param {bigint} seed
 */
function xxh64(bytes, seed) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wrap = (/** @type {bigint} */ value) => value & U64
  const turn = (/** @type {bigint} */ value, /** @type {bigint} */ by) => wrap(value << by) | (value >> (64n - by))
  const round = (/** @type {bigint} */ acc, /** @type {bigint} */ lane) => wrap(turn(wrap(acc + lane * P2), 31n) * P1)
  let at = 0
  let hash = wrap(seed + P5)
  if (bytes.length >= 32) {
    let accs = [seed + P1 + P2, seed + P2, seed, seed - P1].map(wrap)
    for (; at + 32 <= bytes.length; at += 32) {
      accs = accs.map((acc, lane) => round(acc, view.getBigUint64(at + lane * 8, true)))
    }
    hash = wrap([1n, 7n, 12n, 18n].reduce((sum, by, lane) => sum + turn(accs[lane] ?? 0n, by), 0n))
    for (const acc of accs) hash = wrap((hash ^ round(0n, acc)) * P1 + P4)
  }
  hash = wrap(hash + BigInt(bytes.length))
  for (; at + 8 <= bytes.length; at += 8) {
    hash = wrap(turn(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4)
  }
  if (at + 4 <= bytes.length) {
    hash = wrap(turn(hash ^ wrap(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3)
    at += 4
  }
  for (; at < bytes.length; at++) hash = wrap(turn(hash ^ wrap(BigInt(view.getUint8(at)) * P5), 11n) * P1)
  hash = wrap((hash ^ (hash >> 33n)) * P2)
  hash = wrap((hash ^ (hash >> 29n)) * P3)
  return hash ^ (hash >> 32n)
}

/** One tab: a node, its document service, and what was heard of its documents. */
export class Documents {
  /** @type {any} */
  node = undefined
  /** @type {any} */
  service = undefined
  /** @type {{ event: string, detail: any }[]} */
  heard = []

  /** @param {{ relay?: string, start?: boolean, config?: object }} options */
  async open({ relay, start = true, config = {} } = {}) {
    await init()
    this.node = new NetworkNode({ bootstrapPeers: relay ? [relay] : [], iceServers: [], ...config })
    this.node.on('warning', (/** @type {any} */ detail) => this.heard.push({ event: 'warning', detail }))
    this.service = new CRDTSyncService({ node: this.node })
    const events = ['sync:state', 'sync:status', 'sync:peers', 'connection:status', 'document:conflict', 'storage:error']
    for (const event of events) this.service.on(event, (/** @type {any} */ detail) => this.heard.push({ event, detail }))
    if (start) await this.node.start()
  }

  /** @param {string} name */
  async create(name) {
    const document = this.service.createDocument(name)
    await document.loaded
    return document.docId
  }

  /** @param {string} name */
  doc(name) {
    return this.service.getDocument(name)
  }

  /** @param {string} name */
  text(name) {
    return this.doc(name).text('body').toString()
  }

  /** @param {string} name @param {string} text */
  append(name, text) {
    const body = this.doc(name).text('body')
    body.insert(body.length, text)
  }

  /** @param {string} name */
  flush(name) {
    return this.doc(name).flush()
  }

  /** @param {string} name */
  receipts(name) {
    return this.doc(name).receipts()
  }

  /** @param {string} name */
  unsynced(name) {
    return this.doc(name).unsynced
  }

  /** What was heard of a document's storage, from now on. @param {string} name */
  watchStorage(name) {
    this.doc(name).on('storage', (/** @type {any} */ event) => this.heard.push({
      event: 'storage', detail: { type: event.type, code: event.error?.code, reasons: event.reasons },
    }))
  }

  /**
   * Changes the bytes of every record in the database, as something else than this package would.
   * @param {(bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>} change
   */
  async tamper(change) {
    const done = (/** @type {IDBRequest} */ request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const database = await done(indexedDB.open('vivim'))
    const rows = await done(database.transaction(['records']).objectStore('records').getAll())
    for (const row of rows) {
      const changed = { ...row, b: await change(row.b) }
      await done(database.transaction(['records'], 'readwrite').objectStore('records').put(changed))
    }
    database.close()
  }

  /** Makes every record one of a later version, with the header that all versions have. */
  makeNewer() {
    return this.tamper((bytes) => {
      const newer = bytes.slice()
      newer[0] = 3
      const view = new DataView(newer.buffer)
      view.setBigUint64(6, xxh64(newer.subarray(14), view.getBigUint64(0, true) & 0xffff_ffff_ffffn), true)
      return newer
    })
  }

  /** Makes every record one of the version before, with its checksum. */
  makeOlder() {
    return this.tamper(async (bytes) => {
      const older = bytes.slice()
      older[0] = 1
      const summed = new Uint8Array([...older.subarray(0, 6), ...older.subarray(14)])
      older.set(new Uint8Array(await crypto.subtle.digest('SHA-256', summed)).subarray(0, 8), 6)
      return older
    })
  }

  /** Every record in the database, and what was set aside, as text. */
  async records() {
    const done = (/** @type {IDBRequest} */ request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    const database = await done(indexedDB.open('vivim'))
    const stores = ['records', 'quarantine']
    const rows = await Promise.all(stores.map((store) => done(database.transaction([store]).objectStore(store).getAll())))
    database.close()
    const [records, quarantine] = rows.map((all) => all.map((/** @type {any} */ row) => `${row.k}: ${row.b}`))
    return { records, quarantine }
  }

  peerId() {
    return this.node.getPeerId()
  }

  /** @param {string} event */
  of(event) {
    return this.heard.filter((entry) => entry.event === event).map((entry) => entry.detail)
  }
}
