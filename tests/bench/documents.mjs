// The documents bench: ours, Yjs with what its users take (y-webrtc, y-indexeddb, y-websocket) and the platform alone, in
// one run, alternating, medians, two Chromium processes. Writes target/bench/documents.json.
//
//   trace_open_ms        the trace's document from its encoded state until its text was read
//   trace_type_ms        the trace's 259,778 edits one by one until the text was read; limit: a gap buffer
//   provider_type_ms     the same on a Y.Doc with a provider and a connected peer
//   edit_to_peer_*_ms    half of a round trip of letters between the two processes; limit: a bare data channel
//   late_join_ms         a connected peer opens the trace's document, until it's complete
//   storage_open_ms      the stored document until its text was read; limit: the bytes from IndexedDB
//   storage_bytes        after 1,000 reopenings and 20 page loads; limit: the bytes of the encoded state
//   sync_1mib_longtask_* the longest task on the main thread while 1 MiB syncs in; limit: the goal in milliseconds
//
// Options: --runs N (default 5), --parts … (a part alone is printed, not written)

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { bundle, bundleWithPackage, html } from '../lib/build.mjs'
import { TARGET } from '../lib/paths.mjs'
import { Scope } from '../lib/scope.mjs'
import { launchSignaling } from '../lib/signaling.mjs'
import { serve } from '../lib/static-server.mjs'
import { Samples } from '../lib/stats.mjs'
import { readTrace } from '../lib/trace.mjs'
import { providerType } from './provider-type.mjs'

const LETTER_ROUNDS = 300
const REOPENINGS = 1_000
const PAGE_LOADS = 20
/** The longest task that the issue allows: for our documents, for an application's Y.Doc. */
const LONGEST_TASK_MS = { yrs: 50, ydoc: 200 }
const MIB = 1024 * 1024
/** Six pieces of the trace, of some 60 KiB each. */
const EDITS_PER_PIECE = 44_000
/** The first run of everything fills caches and is not counted. */
const WARM_UP_RUNS = 1

/** @typedef {import('../lib/chromium.mjs').Chromium} Chromium */
/** @typedef {import('../lib/chromium.mjs').ChromiumTab} Tab */
/** @typedef {import('../lib/stats.mjs').Column} Column */
/** @typedef {{ a: Chromium, b: Chromium, origins: Record<string, string>, relays: Record<string, string>, length: number, bigLength: number }} Site */

const PARTS = {
  trace: { columns: ['ours', 'peer', 'limit'], measure: trace },
  provider: { columns: ['ours', 'peer'], measure: provider },
  letters: { columns: ['ours', 'peer', 'limit'], measure: letters },
  join: { columns: ['ours', 'peer'], measure: join_ },
  storage: { columns: ['ours', 'peer', 'limit'], measure: storage },
  // y-webrtc sends a state in one message, and a channel takes none of 1 MiB.
  tasks: { columns: ['ours'], measure: tasks },
}

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    parts: { type: 'string', default: Object.keys(PARTS).join(',') },
  },
})
const RUNS = Number(options.runs)
const CHOSEN = options.parts.split(',')

/** @param {string} text @returns {Uint8Array} a document with this text, as Yjs encodes it */
function stateOf(text) {
  const ydoc = new Y.Doc()
  // In lines, as people write: one block each.
  for (let at = 0; at < text.length; at += 60) ydoc.getText('text').insert(0, text.slice(at, at + 60))
  return Y.encodeStateAsUpdate(ydoc)
}

/**
 * @param {import('../lib/trace.mjs').Edit[]} edits
 * @returns {{ state: Uint8Array, pieces: string[] }} the document as Yjs encodes it, and in parts (base64)
 */
function replay(edits) {
  const ydoc = new Y.Doc()
  const text = ydoc.getText('text')
  /** @type {string[]} */
  const pieces = []
  let before = Y.encodeStateVector(ydoc)
  edits.forEach(([position, deleted, inserted], index) => {
    if (deleted > 0) text.delete(position, deleted)
    if (inserted !== '') text.insert(position, inserted)
    if ((index + 1) % EDITS_PER_PIECE === 0 || index === edits.length - 1) {
      pieces.push(Buffer.from(Y.encodeStateAsUpdate(ydoc, before)).toString('base64'))
      before = Y.encodeStateVector(ydoc)
    }
  })
  return { state: Y.encodeStateAsUpdate(ydoc), pieces }
}

/**
 * @param {Chromium} browser
 * @param {Site} site
 * @param {string} column
 */
async function open(browser, { origins }, column) {
  const tab = await browser.tab(`${origins[column]}/${column}`)
  await tab.waitFor('the page is ready', () => 'peer' in window)
  await tab.evaluate(() => window.peer.ready())
  return tab
}

/**
 * A fresh page, closed afterwards.
 * @template T
 * @param {Site} site
 * @param {string} column
 * @param {(tab: Tab) => Promise<T>} use
 */
async function fresh(site, column, use) {
  const tab = await open(site.a, site, column)
  try {
    return await use(tab)
  } catch (error) {
    console.error(tab.console.slice(-20).join('\n'))
    throw error
  } finally {
    await tab.close()
  }
}

/** @param {Site} site @param {string} column */
async function trace(site, column) {
  const type = await fresh(site, column, (tab) => tab.evaluate(() => window.peer.traceType()))
  if (column === 'limit') return { trace_type_ms: type }
  const opened = await fresh(site, column, (tab) => tab.evaluate(() => window.peer.traceOpen()))
  return { trace_open_ms: opened, trace_type_ms: type }
}

/** @param {Site} site @param {string} column */
async function provider(site, column) {
  return { provider_type_ms: await providerType(site, column) }
}

/**
 * Two pages in one room, directly connected.
 * @template T
 * @param {Site} site
 * @param {string} column
 * @param {(near: Tab, far: Tab) => Promise<T>} use
 */
async function together(site, column, use) {
  const near = await open(site.a, site, column)
  const far = await open(site.b, site, column)
  const join = { relay: site.relays[column], room: crypto.randomUUID() }
  try {
    await far.evaluate(({ relay, room }) => window.peer.join(relay, room, 'far'), join)
    await near.evaluate(({ relay, room }) => window.peer.join(relay, room, 'near'), join)
    for (const tab of [near, far]) await tab.waitFor('a direct connection', () => window.peer.connected())
    return await use(near, far)
  } catch (error) {
    console.error([...near.console.slice(-20), '--', ...far.console.slice(-20)].join('\n'))
    throw error
  } finally {
    await Promise.all([near, far].map((tab) => tab.evaluate(() => window.peer.end()).catch(() => undefined)))
    await Promise.all([near.close(), far.close()])
  }
}

/** @param {Site} site @param {string} column */
async function letters(site, column) {
  return together(site, column, async (near, far) => {
    await far.evaluate(() => window.peer.answer())
    // The first letters find the channel cold.
    await near.evaluate(() => window.peer.editToPeer(20))
    const { p50, p99 } = await near.evaluate((rounds) => window.peer.editToPeer(rounds), LETTER_ROUNDS)
    return { edit_to_peer_p50_ms: p50, edit_to_peer_p99_ms: p99 }
  })
}

/** @param {Site} site @param {string} column */
async function join_(site, column) {
  return together(site, column, async (near, far) => {
    await far.evaluate(() => window.peer.hold('trace', '/trace.bin'))
    await far.waitFor('the document is held', () => window.peer.holding())
    const { took } = await near.evaluate((length) => window.peer.lateJoin('trace', length), site.length)
    return { late_join_ms: took }
  })
}

/** @param {Site} site @param {string} column */
async function storage(site, column) {
  const opened = await fresh(site, column, (tab) => tab.evaluate(() => window.peer.storageOpen()))
  return { storage_open_ms: opened }
}

/** @param {Site} site @param {string} column */
async function tasks(site, column) {
  return together(site, column, async (near, far) => {
    await far.evaluate(() => window.peer.hold('big', '/big.bin'))
    await far.waitFor('the document is held', () => window.peer.holding())
    const { longest } = await near.evaluate((length) => window.peer.lateJoin('big', length), site.bigLength)
    await far.evaluate(() => window.peer.holdYDoc('big-ydoc', '/big.bin'))
    const ydoc = await near.evaluate((length) => window.peer.lateJoinYDoc('big-ydoc', length), site.bigLength)
    return { sync_1mib_longtask_ms: longest, sync_1mib_ydoc_longtask_ms: ydoc.longest }
  })
}

/**
 * Not repeated: it is no time.
 * @param {Site} site
 * @param {Samples} samples
 */
async function storedBytes(site, samples) {
  for (const column of /** @type {Column[]} */ (['ours', 'peer'])) {
    const loads = PAGE_LOADS + 1
    let last = { stored: 0, state: 0 }
    for (let load = 0; load < loads; load++) {
      last = await fresh(site, column, (tab) =>
        tab.evaluate((times) => window.peer.reopen(times), load === 0 ? REOPENINGS : 1),
      )
    }
    samples.add('storage_bytes', column, last.stored)
    if (column === 'ours') samples.add('storage_bytes', 'limit', last.state)
  }
}

const scope = new Scope('bench documents')
try {
  const data = readTrace()
  if (!data) throw new Error('the trace is not there: it lies beside the project in shared/data/traces')
  const big = data.text.repeat(Math.ceil(MIB / data.text.length)).slice(0, MIB)
  const replayed = replay(data.edits)
  const [relay, signaling] = await Promise.all([scope.relay(), scope.open(launchSignaling())])
  const answers = {
    ...(await bundleWithPackage('pages/bench-vivim.mjs')),
    ...(await bundle('pages/bench-yjs.mjs')),
    ...(await bundle('pages/bench-bare.mjs')),
    '/trace.json': { type: 'application/json', body: JSON.stringify(data) },
    '/trace.bin': { type: 'application/octet-stream', body: replayed.state },
    '/trace-pieces.json': { type: 'application/json', body: JSON.stringify(replayed.pieces) },
    '/big.bin': { type: 'application/octet-stream', body: stateOf(big) },
    '/ours': html(`import { Ours } from '/pages/bench-vivim.js'; window.peer = new Ours()`),
    '/peer': html(`import { Yjs } from '/pages/bench-yjs.js'; window.peer = new Yjs()`),
    '/limit': html(`import { Platform } from '/pages/bench-bare.js'; window.peer = new Platform()`),
  }
  const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }
  /** @type {Record<string, string>} an origin for each, so that each has a storage of its own */
  const origins = {}
  for (const column of ['ours', 'peer', 'limit']) origins[column] = (await scope.open(serve({ headers, answers }))).origin
  /** @type {Site} */
  const site = {
    a: await scope.chromium('bench-a'),
    b: await scope.chromium('bench-b'),
    origins,
    relays: { ours: relay.address, peer: signaling.url, limit: signaling.url },
    length: data.text.length,
    bigLength: big.length,
  }
  const samples = new Samples()
  for (const [part, { columns, measure }] of Object.entries(PARTS)) {
    if (!CHOSEN.includes(part)) continue
    if (part === 'storage') {
      for (const column of columns) await fresh(site, column, (tab) => tab.evaluate(() => window.peer.store()))
    }
    for (let run = 0; run < RUNS + WARM_UP_RUNS; run++) {
      // Each run begins with another system, so that none always follows the same one.
      const first = run % columns.length
      for (const column of [...columns.slice(first), ...columns.slice(0, first)]) {
        const row = await measure(site, column)
        if (run < WARM_UP_RUNS) continue
        for (const [metric, value] of Object.entries(row)) samples.add(metric, /** @type {Column} */ (column), value)
      }
    }
    if (part === 'storage') await storedBytes(site, samples)
    if (part === 'tasks') {
      samples.add('sync_1mib_longtask_ms', 'limit', LONGEST_TASK_MS.yrs)
      samples.add('sync_1mib_ydoc_longtask_ms', 'limit', LONGEST_TASK_MS.ydoc)
    }
    console.log(`${part}: ${RUNS} runs done`)
  }
  console.log(samples.table())
  // A part of the numbers must not pass for all of them.
  if (CHOSEN.length === Object.keys(PARTS).length) {
    const dir = join(TARGET, 'bench')
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'documents.json'), `${JSON.stringify(samples.report(), undefined, 2)}\n`)
    console.log(`written: ${join(dir, 'documents.json')}`)
  }
} finally {
  await scope.close()
}
