// The trace's edits one by one on a Y.Doc with a provider and a connected peer: VivimProvider between two processes,
// y-websocket through its server on loopback. The documents bench takes `providerType`; alone, this prints more:
//
//   typed      all edits in one loop, until the text was read
//   delivered  the same, until the other process has the text
//   given way  8 edits, then whatever else waits for the main thread, and so on, until the text was read
//
// Options: --runs N (default 3)

import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { Scope } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'
import { readTrace } from '../lib/trace.mjs'
import { launchYWebsocket } from '../lib/y-websocket.mjs'

const DELIVERY_MS = 120_000
const GIVING_WAY_EVERY = 8

/** @typedef {{ a: import('../lib/chromium.mjs').Chromium, b: import('../lib/chromium.mjs').Chromium, relays: Record<string, string> }} Site */

/** @type {Promise<import('../lib/build.mjs').Answers> | undefined} */
let pages

async function answers() {
  return {
    ...(await bundleWithPackage('pages/bench-provider.mjs')),
    '/trace.json': { type: 'application/json', body: JSON.stringify(readTrace()) },
    '/ours': html(`import { OursTyping } from '/pages/bench-provider.js'; window.peer = new OursTyping()`),
    '/peer': html(`import { WebsocketTyping } from '/pages/bench-provider.js'; window.peer = new WebsocketTyping()`),
  }
}

/**
 * @param {Site} site
 * @param {string} column `ours` or `peer`
 * @param {{ atOnce?: number, deliver?: boolean }} [options] `atOnce`: edits between which nothing else gets to run;
 * `deliver`: whether to wait for the other process
 * @returns {Promise<{ typed: number, delivered: number }>} milliseconds
 */
export async function measure({ a, b, relays }, column, { atOnce = Number.MAX_SAFE_INTEGER, deliver = true } = {}) {
  const scope = new Scope('provider type')
  try {
    const { origin } = await scope.open(serve({ answers: await (pages ??= answers()) }))
    const websocket = column === 'peer' ? await launchYWebsocket() : undefined
    const server = websocket?.url ?? relays.ours
    const room = crypto.randomUUID()
    /** @type {import('../lib/chromium.mjs').ChromiumTab[]} */
    const tabs = []
    scope.defer(() => Promise.all(tabs.map((tab) => tab.close())))
    // First of all, or the pages go on working through what is under way.
    scope.defer(() => websocket?.close())
    for (const browser of [b, a]) {
      const tab = await browser.tab(`${origin}/${column}`)
      tabs.push(tab)
      await tab.waitFor('the page is ready', () => 'peer' in window)
      await tab.evaluate(async ({ server, room }) => {
        await window.peer.prepare()
        await window.peer.join(server, room)
      }, { server, room })
    }
    const [far, near] = tabs
    for (const tab of tabs) await tab.waitFor('it is connected', () => window.peer.connected())
    const arrived = deliver ? far.evaluate(() => window.peer.arrived()) : Promise.resolve()
    const begin = performance.now()
    const typed = await near.evaluate((atOnce) => window.peer.type(atOnce), atOnce)
    /** @type {NodeJS.Timeout | undefined} */
    let late
    const timeout = new Promise((_, reject) => {
      late = setTimeout(() => reject(new Error('the text never arrived')), DELIVERY_MS)
    })
    await Promise.race([arrived, timeout]).finally(() => clearTimeout(late))
    return { typed, delivered: performance.now() - begin }
  } finally {
    await scope.close()
  }
}

/** @param {Site} site @param {string} column @returns {Promise<number>} */
export async function providerType(site, column) {
  return (await measure(site, column, { deliver: false })).typed
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '3' } } })
  const scope = new Scope('bench provider type')
  try {
    const [relay, a, b] = await Promise.all([scope.relay(), scope.chromium('typing-a'), scope.chromium('typing-b')])
    const site = { a, b, relays: { ours: relay.address } }
    for (let run = 0; run < Number(options.runs); run++) {
      for (const column of ['ours', 'peer']) {
        const { typed, delivered } = await measure(site, column)
        const paced = await measure(site, column, { atOnce: GIVING_WAY_EVERY })
        const shown = [typed, delivered, paced.typed, paced.delivered].map((ms) => `${Math.round(ms)} ms`)
        console.log(`${column}: typed ${shown[0]}, delivered ${shown[1]}; giving way ${shown[2]}, delivered ${shown[3]}`)
      }
    }
  } finally {
    await scope.close()
  }
}
