// The network bench: ours, js-libp2p (y-webrtc for the cold start) and a bare data channel, in one run, alternating,
// medians, two Chromium processes. Writes target/bench/network.json.
//
//   start_ms         start() until others can reach the node through its relay
//   dial_ms          dial until a byte came back over the direct connection
//   echo_p50/p95_ms  100 bytes there and back on one stream
//   push_32mib_ms    32 MiB one way until the other side confirmed the last byte
//   instantiate_ms   import until a node is made, from a warm HTTP cache
//   cold_to_sync_ms  navigation with a warm HTTP cache until the other browser's text is on the page
//
// Options: --runs N (default 7), --only ours,peer,limit, --parts connected,instantiate,cold (a part alone is printed, not
// written)

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle, bundleWithPackage, html } from '../lib/build.mjs'
import { launchJsRelay } from '../lib/js-relay.mjs'
import { TARGET } from '../lib/paths.mjs'
import { Scope } from '../lib/scope.mjs'
import { launchSignaling } from '../lib/signaling.mjs'
import { serve } from '../lib/static-server.mjs'
import { Samples } from '../lib/stats.mjs'

const ECHO_ROUNDS = 1000
const PUSH_BYTES = 32 * 1024 * 1024
/** The first run of everything fills caches and is not counted. */
const WARM_UP_RUNS = 1
/** A measurement that fails this often ends the bench. */
const ATTEMPTS = 3

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: 'ours,peer,limit' },
    parts: { type: 'string', default: 'connected,instantiate,cold' },
  },
})
const RUNS = Number(options.runs)
const PARTS = options.parts.split(',')
const COLUMNS = /** @type {import('../lib/stats.mjs').Column[]} */ (options.only.split(','))

/**
 * One system under test.
 * @typedef {object} System
 * @property {string} page the page whose `window.peer` drives it
 * @property {string} relay what `start` is given
 * @property {string} [instantiate] the page that measures import to ready
 * @property {string} [cold] the page of the cold start
 * @property {string} [coldRelay]
 */

/**
 * @param {Scope} scope
 * @returns {Promise<Partial<Record<import('../lib/stats.mjs').Column, System>>>}
 */
async function systems(scope) {
  const [jsRelay, signaling] = await Promise.all([scope.open(launchJsRelay()), scope.open(launchSignaling())])
  /** @type {Partial<Record<import('../lib/stats.mjs').Column, System>>} */
  const all = {}
  if (COLUMNS.includes('ours')) {
    const { address } = await scope.relay()
    all.ours = { page: '/ours', relay: address, instantiate: '/ours/instantiate', cold: '/ours/cold', coldRelay: address }
  }
  if (COLUMNS.includes('peer')) {
    const { address } = jsRelay
    all.peer = { page: '/peer', relay: address, instantiate: '/peer/instantiate', cold: '/peer/cold', coldRelay: signaling.url }
  }
  if (COLUMNS.includes('limit')) all.limit = { page: '/limit', relay: signaling.url }
  return all
}

/** @param {string} module @param {string} name @param {string} made */
const measured = (module, name, made) =>
  html(`window.measure = async () => {
    const begin = performance.now()
    const { ${name} } = await import('/pages/${module}.js')
    await ${made}
    return performance.now() - begin
  }`)

/** The pages of all systems on one origin. */
async function site() {
  const bundles = await Promise.all([
    ...['pages/js-libp2p.mjs', 'pages/bare.mjs', 'pages/cold-y-webrtc.mjs'].map((entry) => bundle(entry)),
    ...(COLUMNS.includes('ours') ? ['pages/vivim.mjs', 'pages/cold-vivim.mjs'].map((entry) => bundleWithPackage(entry)) : []),
  ])
  return serve({
    // Isolated pages get a clock of 5 µs instead of 100 µs.
    headers: { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' },
    answers: {
      ...Object.assign({}, ...bundles),
      '/ours': html(`import { Vivim } from '/pages/vivim.js'; window.peer = new Vivim()`),
      '/peer': html(`import { JsLibp2p } from '/pages/js-libp2p.js'; window.peer = new JsLibp2p()`),
      '/limit': html(`import { Bare } from '/pages/bare.js'; window.peer = new Bare()`),
      '/ours/instantiate': measured('vivim', 'Vivim', 'new Vivim().create()'),
      '/peer/instantiate': measured('js-libp2p', 'JsLibp2p', 'new JsLibp2p().create()'),
      // The wasm is asked for with the page, as the demo page does.
      '/ours/cold': html(`import '/pages/cold-vivim.js'`, {
        body: '<link rel="preload" href="/wasm/vivim_wasm_start.wasm" as="fetch" type="application/wasm" crossorigin>',
      }),
      '/peer/cold': html(`import '/pages/cold-y-webrtc.js'`),
    },
  })
}

/**
 * @param {import('../lib/chromium.mjs').Chromium} browser
 * @param {string} url
 */
async function open(browser, url) {
  const tab = await browser.tab(url)
  await tab.waitFor('the page is ready', () => 'peer' in window)
  return tab
}

/**
 * Start, dial, echo and push between two fresh pages.
 * @param {Record<string, import('../lib/chromium.mjs').Chromium>} browsers
 * @param {string} origin
 * @param {System} system
 */
async function connected({ a, b }, origin, system) {
  const near = await open(a, origin + system.page)
  const far = await open(b, origin + system.page)
  try {
    const { relay } = system
    /** @type {(number | null)[]} */
    const starts = []
    for (const tab of [near, far]) starts.push(await tab.evaluate((relay) => window.peer.start({ relay }), relay))
    const address = await far.evaluate(() => window.peer.address())
    const peer = await far.evaluate(() => window.peer.peerId())
    const dial = await near.evaluate((address) => window.peer.dial(address), address)
    const echo = await near.evaluate(({ peer, rounds }) => window.peer.echo(peer, rounds), { peer, rounds: ECHO_ROUNDS })
    const push = await near.evaluate(({ peer, size }) => window.peer.push(peer, size), { peer, size: PUSH_BYTES })
    return { start_ms: starts[0], dial_ms: dial, echo_p50_ms: echo.p50, echo_p95_ms: echo.p95, push_32mib_ms: push }
  } catch (error) {
    console.error([...near.console.slice(-20), '--', ...far.console.slice(-20)].join('\n'))
    throw error
  } finally {
    await Promise.all([near.evaluate(() => window.peer.stop()), far.evaluate(() => window.peer.stop())]).catch(() => undefined)
    await Promise.all([near.close(), far.close()])
  }
}

/**
 * @param {Record<string, import('../lib/chromium.mjs').Chromium>} browsers
 * @param {string} origin
 * @param {System} system
 */
async function instantiated({ a }, origin, { instantiate }) {
  if (!instantiate) return { instantiate_ms: null }
  const tab = await a.tab(origin + instantiate)
  try {
    return { instantiate_ms: await tab.evaluate(() => window.measure()) }
  } finally {
    await tab.close()
  }
}

/**
 * @param {Record<string, import('../lib/chromium.mjs').Chromium>} browsers
 * @param {string} origin
 * @param {System} system
 */
async function coldStarted({ a, b }, origin, { cold, coldRelay }) {
  if (!cold || !coldRelay) return { cold_to_sync_ms: null }
  const query = new URLSearchParams({ room: crypto.randomUUID(), relay: coldRelay })
  const first = await b.tab(`${origin}${cold}?${query}&first=1`)
  await first.waitFor('the first member is in the room', () => 'member' in window && window.member())
  const late = await a.tab(`${origin}${cold}?${query}`)
  try {
    await late.waitFor('the text of the first member', () => 'seenAt' in window)
    return { cold_to_sync_ms: await late.evaluate(() => window.seenAt) }
  } catch (error) {
    console.error([...late.console.slice(-20), '--', ...first.console.slice(-20)].join('\n'))
    throw error
  } finally {
    await Promise.all([late.close(), first.close()])
  }
}

/**
 * What is measured, by part.
 * @type {Record<string, (browsers: Record<string, import('../lib/chromium.mjs').Chromium>, origin: string, system: System) => Promise<Record<string, number | null>>>}
 */
const MEASURES = { cold: coldStarted, instantiate: instantiated, connected }

/** Measurements that did not come to an end, by system: said at the end, whoever it was. */
const failed = new Map()

/**
 * @template T
 * @param {string} column
 * @param {() => Promise<T>} measure
 * @returns {Promise<T>}
 */
async function attempt(column, measure) {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await measure()
    } catch (error) {
      if (left === 1) throw error
      failed.set(column, (failed.get(column) ?? 0) + 1)
      console.error(`${column} failed and is measured again: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    }
  }
}

const scope = new Scope('bench network')
try {
  const all = await systems(scope)
  const { origin } = await scope.open(site())
  const browsers = { a: await scope.chromium('bench-a'), b: await scope.chromium('bench-b') }
  const samples = new Samples()
  // One part after the other: the 32 MiB of one must not be in the way of the next one's first milliseconds.
  for (const [part, measure] of Object.entries(MEASURES)) {
    if (!PARTS.includes(part)) continue
    for (let run = 0; run < RUNS + WARM_UP_RUNS; run++) {
      // Each run begins with another system, so that none always follows the same one.
      const first = run % COLUMNS.length
      for (const column of [...COLUMNS.slice(first), ...COLUMNS.slice(0, first)]) {
        const system = all[column]
        if (!system) continue
        const row = await attempt(column, () => measure(browsers, origin, system))
        if (run < WARM_UP_RUNS) continue
        for (const [metric, value] of Object.entries(row)) samples.add(metric, column, value)
      }
    }
    console.log(`${part}: ${RUNS} runs done`)
  }
  console.log(samples.table())
  for (const [column, count] of failed) console.log(`${column}: ${count} measurements failed and were repeated`)
  // A part of the numbers must not pass for all of them.
  if (PARTS.length === 3) {
    const dir = join(TARGET, 'bench')
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'network.json'), `${JSON.stringify(samples.report(), undefined, 2)}\n`)
    console.log(`written: ${join(dir, 'network.json')}`)
  }
} finally {
  await scope.close()
}
