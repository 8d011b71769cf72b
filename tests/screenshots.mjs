// Pictures of two people writing together: `node screenshots.mjs [URL of a relay] [folder]`.
//
// Desktop and phone, light and dark, both sides of each; two Chromium processes per pair, in sync over a direct
// connection. Without a URL a relay is started for it.

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DemoPage, converge, meetDirectly, newRoom } from './lib/demo-page.mjs'
import { PAGE_DIST, TARGET, needed } from './lib/paths.mjs'
import { Scope } from './lib/scope.mjs'

const SIZES = { desktop: { width: 1280, height: 800, scale: 1 }, phone: { width: 390, height: 844, scale: 2 } }
const SCHEMES = /** @type {const} */ (['light', 'dark'])
const NAMES = { ada: 'Ada', bob: 'Bob' }

const [url, folder] = process.argv.slice(2)
const dir = resolve(folder ?? join(TARGET, 'screenshots'))
mkdirSync(dir, { recursive: true })

/**
 * @param {Scope} scope
 * @param {string} origin
 * @param {keyof typeof SIZES} size
 * @param {'light' | 'dark'} colorScheme
 */
async function pictures(scope, origin, size, colorScheme) {
  const { width, height, scale } = SIZES[size]
  const room = newRoom()
  /** @param {keyof typeof NAMES} name */
  const person = async (name) => {
    const browser = await scope.chromium(name, { viewport: { width, height }, colorScheme, scale })
    const page = await DemoPage.open(browser, origin, room)
    await page.tab.evaluate((name) => {
      const field = document.querySelector('[data-testid=name]')
      if (!(field instanceof HTMLInputElement)) throw new Error('the page has no field for the name')
      field.value = name
      for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }))
    }, NAMES[name])
    return page
  }
  const [ada, bob] = [await person('ada'), await person('bob')]
  await meetDirectly(ada, bob)
  await ada.write('# Picnic on Saturday\n\nWhere shall we meet? I would say by the river, around noon.\n\n')
  await converge([ada, bob], (text) => text.includes('around noon.'))
  await bob.tab.evaluate(() => {
    const shared = window.vivim.ydoc.getText('text')
    shared.insert(shared.length, '- bread and cheese: Bob\n- lemonade: Ada\n')
  })
  await bob.write(' ')
  const text = await converge([ada, bob], (text) => text.includes('lemonade'))
  for (const page of [ada, bob]) {
    await page.reaches(['direct'])
    await page.tab.waitFor('both people are shown', () => document.querySelectorAll('[data-testid=person]').length === 2)
    await page.tab.waitFor('the round trip is shown', () =>
      [...document.querySelectorAll('[data-testid=peer-rtt]')].some((entry) => /\d/.test(entry.textContent ?? '')),
    )
  }
  for (const [name, page] of /** @type {const} */ ([['ada', ada], ['bob', bob]])) {
    const path = join(dir, `${size}-${colorScheme}-${name}.png`)
    await page.tab.screenshot(path)
    console.log(path)
  }
  if (!text.includes('Picnic')) throw new Error('the text is not what was written')
}

const scope = new Scope('screenshots')
try {
  const origin = url ? url.replace(/\/$/, '') : (await scope.relay({ page: needed(PAGE_DIST, 'cargo xtask build') })).origin
  for (const size of /** @type {(keyof typeof SIZES)[]} */ (Object.keys(SIZES))) {
    for (const scheme of SCHEMES) {
      const pair = new Scope(`screenshots ${size} ${scheme}`)
      try {
        await pictures(pair, origin, size, scheme)
      } catch (error) {
        await pair.report(error)
        throw error
      } finally {
        await pair.close()
      }
    }
  }
} finally {
  await scope.close()
}
