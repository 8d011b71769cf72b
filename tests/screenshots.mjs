// Pictures of the demo page: `node screenshots.mjs [URL of a relay] [folder]`.
//
// Desktop and phone, light and dark. Two people writing together, two Chromium processes in sync over a direct
// connection; the list of the texts on one's device; and one of them alone, after a reload without a relay, with
// changes that nobody else has. Without a URL a relay is started for the first.

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DemoPage, converge, meetDirectly, newRoom } from './lib/demo-page.mjs'
import { PAGE_DIST, TARGET, needed } from './lib/paths.mjs'
import { Scope } from './lib/scope.mjs'
import { serve } from './lib/static-server.mjs'
import { until } from './lib/wait.mjs'

const SIZES = { desktop: { width: 1280, height: 800, scale: 1 }, phone: { width: 390, height: 844, scale: 2 } }
const SCHEMES = /** @type {const} */ (['light', 'dark'])
const NAMES = { ada: 'Ada', bob: 'Bob' }

const [url, folder] = process.argv.slice(2)
const dir = resolve(folder ?? join(TARGET, 'screenshots'))
mkdirSync(dir, { recursive: true })

/** @typedef {{ size: keyof typeof SIZES, scheme: 'light' | 'dark' }} Look */

/**
 * Somebody with a browser, a name and a page.
 * @param {Scope} scope
 * @param {string} origin
 * @param {string} room
 * @param {Look} look
 * @param {keyof typeof NAMES} name
 */
async function person(scope, origin, room, { size, scheme }, name) {
  const { width, height, scale } = SIZES[size]
  const browser = await scope.chromium(name, { viewport: { width, height }, colorScheme: scheme, scale })
  const page = await DemoPage.open(browser, origin, room)
  await page.tab.evaluate((name) => {
    const field = document.querySelector('[data-testid=name]')
    if (!(field instanceof HTMLInputElement)) throw new Error('the page has no field for the name')
    field.value = name
    for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }))
  }, NAMES[name])
  return page
}

/**
 * @param {DemoPage} page
 * @param {Look} look
 * @param {string} what
 */
async function take(page, { size, scheme }, what) {
  const path = join(dir, `${size}-${scheme}-${what}.png`)
  await page.tab.screenshot(path)
  console.log(path)
}

/**
 * Two people in one text, and the list of the texts of one of them.
 * @param {Scope} scope
 * @param {string} origin
 * @param {Look} look
 */
async function together(scope, origin, look) {
  const room = newRoom()
  const [ada, bob] = [await person(scope, origin, room, look, 'ada'), await person(scope, origin, room, look, 'bob')]
  await meetDirectly(ada, bob)
  await ada.write('# Picnic on Saturday\n\nWhere shall we meet? I would say by the river, around noon.\n\n')
  await converge([ada, bob], (text) => text.includes('around noon.'))
  await bob.append('- bread and cheese: Bob\n- lemonade: Ada\n')
  await bob.write(' ')
  const text = await converge([ada, bob], (text) => text.includes('lemonade'))
  if (!text.includes('Picnic')) throw new Error('the text is not what was written')
  for (const page of [ada, bob]) {
    await page.reaches(['direct'])
    await page.tab.waitFor('both people are shown', () => document.querySelectorAll('[data-testid=person]').length === 2)
    await page.tab.waitFor('the round trip is shown', () =>
      [...document.querySelectorAll('[data-testid=peer-rtt]')].some((entry) => /\d/.test(entry.textContent ?? '')),
    )
    await page.says('stored', /^Stored by /)
  }
  await take(ada, look, 'together-ada')
  await take(bob, look, 'together-bob')
  if (look.size === 'phone') {
    await ada.openSheet()
    await take(ada, look, 'together-sheet')
  }
}

/**
 * One person after a reload, with nobody to be reached, and her texts.
 * @param {Scope} scope
 * @param {Look} look
 */
async function offline(scope, look) {
  // A server of its own, which outlives the relay: the page is still there, as it would be from a cache.
  const relay = await scope.relay()
  const wellKnown = { type: 'application/json', body: JSON.stringify({ multiaddrs: [relay.address] }) }
  const folders = { '/': needed(PAGE_DIST, 'cargo xtask build') }
  const { origin } = await scope.open(serve({ folders, answers: { '/.well-known/vivim': wellKnown } }))
  const picnic = newRoom()
  const ada = await person(scope, origin, picnic, look, 'ada')
  const bob = await person(scope, origin, picnic, look, 'bob')
  await meetDirectly(ada, bob)
  await ada.write('# Picnic on Saturday\n\nBy the river, around noon.\n')
  await bob.has('around noon.')
  await ada.says('stored', /^Stored by /)
  for (const text of ['# Reading list\n\n- The Dispossessed\n', '# Kitchen, Monday\n\nThe tap drips again.\n']) {
    await ada.visit(newRoom())
    await until('another text is open', async () => (await ada.text()) === '')
    await ada.opened()
    await ada.write(text)
    await ada.has(text.trim().slice(-10))
    await ada.saved()
  }
  await ada.visit(picnic)
  await ada.has('around noon.')
  await relay.kill()
  await bob.close()
  await until('nobody is there', async () => (await ada.connections()).length === 0)
  await ada.reload()
  await ada.has('around noon.')
  await ada.opened()
  await ada.reaches(['no-relay'])
  await ada.append('\nIf it rains: at my place.\n')
  await until('the next change is one of its own', async () => (await ada.keeping()).unsynced >= 1)
  await ada.append('I bring lemonade.\n')
  await ada.says('people', /^2 changes not yet with anybody$/)
  await ada.saved()
  await ada.says('device', /^Saved on this device$/)
  await take(ada, look, 'offline-after-reload')
  await ada.rooms()
  await take(ada, look, 'rooms')
}

const scope = new Scope('screenshots')
try {
  const origin = url ? url.replace(/\/$/, '') : (await scope.relay({ page: needed(PAGE_DIST, 'cargo xtask build') })).origin
  for (const size of /** @type {(keyof typeof SIZES)[]} */ (Object.keys(SIZES))) {
    for (const scheme of SCHEMES) {
      for (const run of [together, offline]) {
        const look = { size, scheme }
        const own = new Scope(`screenshots ${run.name} ${size} ${scheme}`)
        try {
          if (run === together) await together(own, origin, look)
          else await offline(own, look)
        } catch (error) {
          await own.report(error)
          throw error
        } finally {
          await own.close()
        }
      }
    }
  }
} finally {
  await scope.close()
}
