// The module comes in two files. What a page needs to be connected and in sync is in the first; whenever the second
// comes, everything works, or says why it doesn't.

import { strict as assert } from 'node:assert'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'

/** @typedef {import('../lib/build.mjs').Answers} Answers */

const REST = '/wasm/vivim_wasm_rest.wasm'

/**
 * A site with the page.
 * @param {import('../lib/scope.mjs').Scope} scope
 * @param {(answers: Answers) => void} [change]
 */
async function site(scope, change = () => undefined) {
  const script = `import { Loading } from '/pages/loading.js'; window.peer = new Loading()`
  /** @type {Answers} */
  const answers = { ...(await bundleWithPackage('pages/loading.mjs')), '/': html(script) }
  assert.ok(answers[REST])
  change(answers)
  const site = await scope.open(serve({ answers }))
  return { ...site, asked: () => site.requests.filter((path) => path === REST).length }
}

/**
 * Opens the page, in a new tab or in one that has it.
 * @param {import('../lib/chromium.mjs').Tab} tab
 * @param {string} origin
 * @param {'held' | 'fails once'} rest
 */
async function visit(tab, origin, rest) {
  await tab.goto(`${origin}/`)
  await tab.waitFor('the page is ready', () => 'peer' in window)
  await tab.evaluate((rest) => window.peer.setFetch(rest), rest)
}

/**
 * @param {import('../lib/chromium.mjs').Browser} browser
 * @param {string} origin
 * @param {'held' | 'fails once'} rest
 */
async function page(browser, origin, rest) {
  const tab = await browser.tab()
  await visit(tab, origin, rest)
  return tab
}

/** An address that nobody listens at: the page is on its own. */
const NOBODY = '/ip4/127.0.0.1/tcp/9/ws/p2p/12D3KooWGzBXWNvHpLALvz3jhwdefMDSdGMaRMJ7jpkHsV8EPtPi'

scenario('two pages connect, write and are in sync before the second file is there', async (scope) => {
  const [{ origin, asked }, relay, ada, bob] = await Promise.all([site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob')])
  const tabs = await Promise.all([page(ada, origin, 'held'), page(bob, origin, 'held')])
  let needed = 0
  // On a busy machine something rare may happen that isn't in the first file. Not each time.
  for (const attempt of ['first', 'second', 'third']) {
    const before = asked()
    for (const tab of tabs) await tab.evaluate(({ address, attempt }) => window.peer.open(address, attempt), { address: relay.address, attempt })
    await Promise.all(tabs.map((tab) => tab.waitFor('the pages are together', () => window.peer.isTogether())))
    for (const [index, tab] of tabs.entries()) await tab.evaluate((who) => window.peer.write(who), `writer ${index}`)
    const written = 2 * 'writer 0 writes this; '.length
    await Promise.all(tabs.map((tab) => tab.waitFor('both have it', (written) => window.peer.document.text('body').length === written, written)))
    const [one, two] = await Promise.all(tabs.map((tab) => tab.evaluate(() => window.peer.document.text('body').toString())))
    assert.equal(one, two)
    needed = asked() - before
    if (needed === 0) break
    for (const tab of tabs) await visit(tab, origin, 'held')
  }
  assert.equal(needed, 0)
})

for (const kind of /** @type {const} */ (['chromium', 'firefox'])) {
  scenario(`a function of the second file that is called before that is there is waited for (${kind})`, async (scope) => {
    const { origin, asked } = await site(scope)
    const tab = await page(await scope[kind]('early'), origin, 'held')
    await tab.evaluate((address) => window.peer.open(address, 'early'), NOBODY)
    assert.equal(await tab.evaluate(() => window.peer.writeAlone()), 'written')
    const bytes = await tab.evaluate(() => window.peer.exported())
    assert.ok(bytes > 20, String(bytes))
    assert.equal(asked(), 1)
    // It's asked for once, and everything goes on.
    assert.equal(await tab.evaluate(() => window.peer.exported()), bytes)
    assert.equal(asked(), 1)
  })
}

scenario('a second file that failed to load is loaded again', async (scope) => {
  const { origin, asked } = await site(scope)
  const tab = await page(await scope.chromium('again'), origin, 'fails once')
  await tab.evaluate(() => window.peer.loadWhole())
  assert.equal(asked(), 1)
})

for (const [what, change] of /** @type {[string, (rest: Uint8Array) => Uint8Array | undefined][]} */ ([
  ['that is gone', () => undefined],
  ['of another build', otherBuild],
])) {
  scenario(`a second file ${what} when it is called is said so`, async (scope) => {
    /** @type {Answers} */
    let answers = {}
    const { origin } = await site(scope, (served) => (answers = served))
    const rest = answers[REST]
    // On a busy machine something rare may have had it loaded before. Not each time.
    for (const attempt of ['first', 'second', 'third']) {
      if (rest) answers[REST] = rest
      // Without what another one has cached.
      const browser = await scope.chromium(attempt)
      const tab = await page(browser, origin, 'held')
      await tab.evaluate(({ address, attempt }) => window.peer.open(address, attempt), { address: NOBODY, attempt })
      assert.equal(await tab.evaluate(() => window.peer.writeAlone()), 'written')
      const changed = change(/** @type {Uint8Array} */ (rest?.body))
      if (changed) answers[REST] = { type: 'application/wasm', body: changed }
      else delete answers[REST]
      const exported = await tab.evaluate(() => window.peer.exported())
      if (exported !== 'PANICKED') continue
      assert.ok(tab.console.some((line) => line.includes('vivim_wasm_rest.wasm')), tab.console.join('\n'))
      return
    }
    assert.fail('it was loaded before it was called')
  })
}

/** @param {Uint8Array} rest */
function otherBuild(rest) {
  const bytes = Buffer.from(rest)
  // Each function that it uses of the first file names the build.
  for (let at = bytes.indexOf('start-'); at >= 0; at = bytes.indexOf('start-', at + 1)) {
    bytes[at + 6] = bytes[at + 6] === 0x30 ? 0x31 : 0x30
  }
  return bytes
}
