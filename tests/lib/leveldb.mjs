// The write-ahead logs of the databases in which Chromium keeps IndexedDB, while no Chromium runs.
//
// Chromium writes the parts of one record by several calls. When it is killed between two of them, the log ends in a
// torn record. The next Chromium passes over it, as it should, but goes on writing behind it; the one after that takes
// the torn record together with what follows for damage, and deletes the whole database.

import { existsSync, readFileSync, readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK = 32 * 1024
/** Bytes of a checksum, a length and a kind. */
const HEADER = 7
/** Kinds of parts that end a record: the only one, and the last one. */
const FULL = 1
const LAST = 4

/**
 * Where the whole records of a log end.
 * @param {Buffer} log
 */
function wholeEnd(log) {
  let at = 0
  /** The end of the last record of which all parts are there. */
  let whole = 0
  while (at < log.length) {
    const room = BLOCK - (at % BLOCK)
    if (room < HEADER) {
      at += room
      continue
    }
    if (at + HEADER > log.length) break
    const end = at + HEADER + log.readUInt16LE(at + 4)
    const kind = log[at + 6]
    if (end > log.length) break
    at = end
    if (kind === FULL || kind === LAST) whole = end
  }
  return whole
}

/**
 * Cuts torn records off the logs of a profile's databases.
 * @param {string} profile of a browser that doesn't run
 * @returns {number} how many logs had one
 */
export function cutTornRecords(profile) {
  const root = join(profile, 'Default', 'IndexedDB')
  let torn = 0
  for (const folder of existsSync(root) ? readdirSync(root) : []) {
    if (!folder.endsWith('.leveldb')) continue
    for (const name of readdirSync(join(root, folder))) {
      if (!name.endsWith('.log') && !name.startsWith('MANIFEST')) continue
      const path = join(root, folder, name)
      const log = readFileSync(path)
      const end = wholeEnd(log)
      if (end === log.length) continue
      truncateSync(path, end)
      torn += 1
    }
  }
  return torn
}
