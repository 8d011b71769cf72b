// A closed laptop: every process of one browser stands still for a minute.

import { DemoPage, converge, meetDirectly, newRoom } from '../lib/demo-page.mjs'
import { PAGE_DIST, needed } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'

const ASLEEP_MS = 60_000

scenario('a browser that was stopped for 60 seconds comes back, connects and catches up', async (scope) => {
  needed(PAGE_DIST, 'build it with: cargo xtask build')
  const [relay, ada, bob] = await Promise.all([
    scope.relay({ page: PAGE_DIST }),
    scope.chromium('ada'),
    scope.chromium('bob'),
  ])
  const room = newRoom()
  const a = await DemoPage.open(ada, relay.origin, room)
  const b = await DemoPage.open(bob, relay.origin, room)
  await meetDirectly(a, b)
  await a.write('before ')
  await b.has('before ')
  ada.stop()
  await b.write('while the other slept ')
  // The one wait by the clock in the suites: the length of the sleep is the case.
  await new Promise((resolve) => setTimeout(resolve, ASLEEP_MS))
  ada.resume()
  await a.has('while the other slept ', 30_000)
  await a.write('awake ')
  await converge([a, b], (text) => text.includes('awake ') && text.includes('while the other slept '), 30_000)
  await meetDirectly(a, b, 45_000)
})
