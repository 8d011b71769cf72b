// Editors as they come from npm, in two Chromium processes: people type into both, and see each other's cursors.

import { strict as assert } from 'node:assert'
import { ask } from '../lib/api-page.mjs'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { newRoom } from '../lib/demo-page.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'
import { until } from '../lib/wait.mjs'

/** @typedef {import('../lib/chromium.mjs').ChromiumTab} Tab */

/** @param {Tab} tab @param {string} text */
const shows = (tab, text) => tab.waitFor(`the text “${text}”`, (text) => window.peer.text() === text, text)

/** @param {Tab} tab @param {string} name */
const showsCursor = (tab, name) =>
  tab.waitFor(`the cursor of ${name}`, (name) => window.peer.cursors().some((/** @type {string} */ shown) => shown.includes(name)), name)

/**
 * Moves to one end of the text and types on the keyboard.
 * @param {Tab} tab
 * @param {'start' | 'end'} end
 * @param {string} text
 */
async function type(tab, end, text) {
  await ask(tab, 'caret', end)
  await tab.page.keyboard.type(text)
}

/** @param {string} kind @param {boolean} formats whether the editor knows bold text */
async function together(kind, formats, /** @type {import('../lib/scope.mjs').Scope} */ scope) {
  const answers = {
    ...(await bundleWithPackage('pages/editors.mjs')),
    '/': html(`import { EditorPage } from '/pages/editors.js'; window.peer = new EditorPage()`),
  }
  const [relay, { origin }, ada, bob] = await Promise.all([
    scope.relay(), scope.open(serve({ answers })), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const room = newRoom()
  /** @type {Tab[]} */
  const [a, b] = await Promise.all([[ada, 'Ada', '#aa3355'], [bob, 'Bob', '#3355aa']].map(async ([browser, name, color]) => {
    const tab = await /** @type {typeof ada} */ (browser).tab(origin)
    await tab.waitFor('the page is ready', () => 'peer' in window)
    await ask(tab, 'open', { kind, relay: relay.address, room, name, color })
    return tab
  }))
  for (const tab of [a, b]) await tab.waitFor('it is synced', () => window.peer.synced())

  await type(a, 'end', 'Hello from Ada')
  await shows(b, 'Hello from Ada')
  await showsCursor(b, 'Ada')
  await type(b, 'end', ' and Bob')
  await shows(a, 'Hello from Ada and Bob')
  await showsCursor(a, 'Bob')

  // Both at the same time, at both ends.
  await Promise.all([type(a, 'start', 'At the front: '), type(b, 'end', ', at the end')])
  const whole = 'At the front: Hello from Ada and Bob, at the end'
  for (const tab of [a, b]) await shows(tab, whole)

  if (formats) {
    await ask(a, 'embolden', 6)
    for (const tab of [a, b]) {
      await until('the word is bold', async () => {
        assert.deepEqual(await ask(tab, 'bold'), ['At the'])
        return true
      })
    }
    // It stays so when the other one types on.
    await type(b, 'end', '!')
    await shows(a, `${whole}!`)
    assert.deepEqual(await ask(a, 'bold'), ['At the'])
  }

  await ask(b, 'leave')
  await a.waitFor('Bob’s cursor is gone', () => window.peer.cursors().length === 0)
}

scenario('CodeMirror: two people type, see each other’s cursors, and come to the same text', (scope) => together('codemirror', false, scope))
scenario('ProseMirror: two people type, see each other’s cursors, and come to the same text with its formatting', (scope) => together('prosemirror', true, scope))
scenario('TipTap: two people type, see each other’s cursors, and come to the same text with its formatting', (scope) => together('tiptap', true, scope))
scenario('Quill: two people type, see each other’s cursors, and come to the same text with its formatting', (scope) => together('quill', true, scope))
