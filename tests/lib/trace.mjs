// The editing trace that benches and tests replay: it lies beside the project and is never copied into it.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { TESTS } from './paths.mjs'

const FILE = process.env.VIVIM_TRACE ?? join(TESTS, '../../shared/data/traces/automerge-paper.json.gz')

/** @typedef {[position: number, deleted: number, inserted: string]} Edit */

/**
 * @returns {{ edits: Edit[], text: string } | undefined} nothing where the data isn't
 */
export function readTrace() {
  if (!existsSync(FILE)) return undefined
  const { txns, endContent } = JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8'))
  return { edits: txns.flatMap((/** @type {{ patches: Edit[] }} */ txn) => txn.patches), text: endContent }
}
