// Prints which functions of the module pages call that meet by way of a relay, write together, and open again what they
// stored: one number a line. The package must be one whose functions note that they were called, as `cargo xtask pack`
// makes it to find out what comes in its first file.

import { bundleWithPackage, html } from './lib/build.mjs'
import { Scope } from './lib/scope.mjs'
import { serve } from './lib/static-server.mjs'

const scope = new Scope('profile')
try {
  const script = `import { Start } from '/pages/start.js'; window.peer = new Start()`
  const site = await scope.open(serve({ answers: { ...(await bundleWithPackage('pages/start.mjs')), '/': html(script) } }))
  const [relay, ada, bob] = await Promise.all([scope.relay(), scope.chromium('ada'), scope.chromium('bob')])
  /** @type {Set<string>} */
  const called = new Set()
  const document = { relay: relay.address, name: crypto.randomUUID() }

  /** @param {import('./lib/chromium.mjs').ChromiumTab} tab @param {{ relay?: string, name: string, storage?: boolean }} [what] */
  const open = async (tab, what = document) => {
    await tab.goto(`${site.origin}/`)
    await tab.waitFor('the page is ready', () => 'peer' in window)
    if (what !== document) {
      await tab.evaluate(() => window.peer.load())
      await tab.waitFor('the engine has rehearsed', () => window.peer.isRested())
    }
    await tab.evaluate(({ relay, name, storage }) => window.peer.open(relay, name, storage), what)
  }
  /** @param {import('./lib/chromium.mjs').ChromiumTab} tab */
  const note = async (tab) => {
    for (const number of await tab.evaluate(() => window.peer.called())) called.add(number)
  }

  /** @param {import('./lib/chromium.mjs').ChromiumTab[]} tabs */
  const meet = async (tabs) => {
    for (const tab of tabs) await open(tab)
    await Promise.all(tabs.map((tab) => tab.waitFor('the pages are together', () => window.peer.isTogether())))
  }
  /** @param {import('./lib/chromium.mjs').ChromiumTab[]} tabs */
  const write = async (tabs) => {
    for (const [index, tab] of tabs.entries()) await tab.evaluate((who) => window.peer.write(who), `writer ${index}`)
    await Promise.all(tabs.map((tab) => tab.waitFor('all is with the other', () => window.peer.hasAll())))
    for (const tab of tabs) await tab.evaluate(() => void window.peer.read())
  }

  const [one, two] = await Promise.all([ada.tab(), bob.tab()])
  // Either may be the first, and be called by the other, and no two times everything comes in the same order.
  for (const tabs of [[one, two], [two, one], [one, two], [two, one]]) {
    await meet(tabs)
    await write(tabs)
    for (const tab of tabs) await note(tab)
    // What it takes to part can wait, and isn't noted.
    for (const tab of tabs) await tab.evaluate(() => window.peer.close())
  }

  // Networks fail at any time: the relay goes and comes back, and so does the other page.
  await meet([one, two])
  await relay.kill()
  await one.waitFor('the relay is missed', () => !window.peer.hasRelay())
  await relay.start()
  await one.waitFor('the relay is back', () => window.peer.hasRelay())
  await two.goto('about:blank')
  await one.waitFor('the other is missed', () => !window.peer.isTogether())
  await meet([two])
  await one.waitFor('the other is back', () => window.peer.isTogether())
  await write([one, two])
  await one.evaluate(() => window.peer.writeLarge())
  await write([one, two])
  for (const tab of [one, two]) await note(tab)

  // Or there is none to begin with, nor a disk, nor anything to do.
  await open(two, { name: 'alone', storage: false })
  await two.evaluate(() => window.peer.writeLarge())
  await note(two)

  // And a page may be opened when it isn't there.
  await relay.kill()
  await two.goto('about:blank')
  await open(one)
  await one.evaluate(() => window.peer.write('nobody else'))
  await one.waitFor('no relay was found', () => window.peer.warnings > 0)
  await relay.start()
  await one.waitFor('the relay is there', () => window.peer.hasRelay())
  // What is done every few seconds has been done once.
  await one.waitFor('the page is old enough', () => performance.now() > 8_000)
  await note(one)
  console.log([...called].join('\n'))
} finally {
  await scope.close()
}
