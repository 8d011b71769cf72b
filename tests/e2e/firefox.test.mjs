// One Chromium and one Firefox with default preferences, through the real page.

import { DemoPage, converge, flowsDirectly, meetDirectly, newRoom, prose } from '../lib/demo-page.mjs'
import { PAGE_DIST, needed } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'

/** @param {import('../lib/scope.mjs').Scope} scope */
async function setting(scope) {
  needed(PAGE_DIST, 'build it with: cargo xtask build')
  const [relay, chromium, firefox] = await Promise.all([
    scope.relay({ page: PAGE_DIST }),
    scope.chromium('chromium'),
    scope.firefox('firefox'),
  ])
  return { origin: relay.origin, chromium, firefox, room: newRoom() }
}

/** @param {DemoPage} a @param {DemoPage} b */
async function writeTogether(a, b) {
  await meetDirectly(a, b)
  const before = (await a.text()).length
  await Promise.all([a.write('one two three '), b.write('four five six ')])
  await converge([a, b], (text) => text.length === before + 'one two three four five six '.length)
  await flowsDirectly(a, b, prose(20_000, 'to the second'))
  await flowsDirectly(b, a, prose(20_000, 'to the first'))
}

scenario('Firefox joins a room of Chromium: they find each other, connect directly, type and converge', async (scope) => {
  const { origin, chromium, firefox, room } = await setting(scope)
  const first = await DemoPage.open(chromium, origin, room)
  await first.write('already here ')
  const second = await DemoPage.open(firefox, origin, room)
  await second.has('already here ')
  await writeTogether(first, second)
})

scenario('Chromium joins a room of Firefox: they find each other, connect directly, type and converge', async (scope) => {
  const { origin, chromium, firefox, room } = await setting(scope)
  const first = await DemoPage.open(firefox, origin, room)
  await first.reaches(['alone'])
  const second = await DemoPage.open(chromium, origin, room)
  await writeTogether(first, second)
})
