// A profile whose browser is killed again and again in the middle of writing: what `flush` has promised is there.
//
// About one kill in a hundred tears the log of the browser's own database, which Chromium makes worse by itself (see
// lib/leveldb.mjs); no page can do anything about it, so the tests repair what a sound browser would have repaired.

import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { Chromium } from '../lib/chromium.mjs'
import { cutTornRecords } from '../lib/leveldb.mjs'
import { workDir } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'
import { within } from '../lib/wait.mjs'

const KILLS = 50
/** Flushes that are heard of before a kill, at most. */
const MAX_FLUSHES = 30
/** Milliseconds by which a kill comes later, at most: it is to hit every moment of a write. */
const MAX_DELAY_MS = 12
const TIMEOUT_MS = 300_000
/** Attempts to start the browser. */
const LAUNCHES = 3

/** A generator that a failure can be repeated with. @param {number} seed */
function random(seed) {
  let state = seed >>> 0
  return (/** @type {number} */ below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Chromium itself crashes now and then when it starts with a profile that was left like that. @param {string} profile */
async function launch(profile) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Chromium.launch('killed', { profile, bare: true })
    } catch (error) {
      if (attempt === LAUNCHES) throw error
      console.log(`    the browser did not start: attempt ${attempt}`)
    }
  }
}

scenario(`a profile killed ${KILLS} times while it writes loses no edit whose flush had resolved`, async (scope) => {
  const seed = Number(process.env.VIVIM_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`    seed ${seed}`)
  const below = random(seed)
  const answers = {
    ...(await bundleWithPackage('pages/storage-kill.mjs')),
    '/': html(`import { StorageWriter } from '/pages/storage-kill.js'; window.peer = new StorageWriter()`),
  }
  const { origin } = await scope.open(serve({ answers }))
  const profile = mkdtempSync(join(workDir('profiles'), 'killed-'))
  scope.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  /** The last number that was flushed: every one up to it must be there. */
  let flushed = -1
  let total = 0
  let torn = 0

  for (let kill = 0; kill <= KILLS; kill++) {
    const browser = await launch(profile)
    try {
      /** @type {() => void} */
      let enough = () => {}
      const written = new Promise((resolve) => (enough = () => resolve(undefined)))
      let left = 1 + below(MAX_FLUSHES)
      await browser.context.exposeBinding('flushed', (_, number) => {
        flushed = Math.max(flushed, number)
        total += 1
        left -= 1
        if (left === 0) enough()
      })
      const tab = await browser.tab(origin)
      await tab.waitFor('the page is ready', () => 'peer' in window)
      await tab.evaluate(() => window.peer.open('killed'))
      const { keys, words, problems } = await tab.evaluate(() => window.peer.found())
      const there = { keys: new Set(keys), words: new Set(words) }
      const lost = Array.from({ length: flushed + 1 }, (_, number) => number)
        .filter((number) => !there.keys.has(number) || !there.words.has(number))
      if (lost.length > 0 || problems.length > 0) {
        const records = await tab.evaluate(() => window.peer.records())
        const { keys: later } = await tab.evaluate(() => window.peer.found())
        assert.fail(
          `after kill ${kill} (seed ${seed}) ${lost.length} of ${flushed + 1} edits are lost: ${lost.slice(0, 20)}; ` +
          `${keys.length} keys and ${words.length} words are there, ${later.length} keys a moment later; ` +
          `the storage said: ${problems.join('; ')}; it holds ${JSON.stringify(records)}`,
        )
      }
      if (kill === KILLS) {
        console.log(`    ${total} flushes, ${flushed + 1} edits promised, ${keys.length} there; ${torn} torn logs of the browser's own`)
        break
      }
      // Ends with the browser.
      const next = keys.length === 0 ? 0 : Math.max(...keys) + 1
      tab.evaluate((from) => window.peer.write(from), Math.max(next, flushed + 1)).catch(() => undefined)
      await within(written, 20_000, 'something is flushed')
      await new Promise((resolve) => setTimeout(resolve, below(MAX_DELAY_MS)))
    } finally {
      await browser.kill()
    }
    torn += cutTornRecords(profile)
  }
}, { timeout: TIMEOUT_MS })
