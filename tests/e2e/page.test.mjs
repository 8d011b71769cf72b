// The demo page, served by the real relay, in two Chromium processes.

import { strict as assert } from 'node:assert'
import { NO_WEBRTC_UDP } from '../lib/chromium.mjs'
import { DemoPage, converge, flowsDirectly, meetDirectly, newRoom, prose } from '../lib/demo-page.mjs'
import { PAGE_DIST, needed } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'
import { until } from '../lib/wait.mjs'

/** The relay serving the page, and two browsers with nothing open. @param {import('../lib/scope.mjs').Scope} scope */
async function setting(scope) {
  needed(PAGE_DIST, 'build it with: cargo xtask build')
  const [relay, ada, bob] = await Promise.all([
    scope.relay({ page: PAGE_DIST }),
    scope.chromium('ada'),
    scope.chromium('bob'),
  ])
  return { relay, ada, bob, room: newRoom() }
}

/** Two people in one room, connected directly. @param {import('../lib/scope.mjs').Scope} scope */
async function connected(scope) {
  const { relay, ada, bob, room } = await setting(scope)
  const a = await DemoPage.open(ada, relay.origin, room)
  const b = await DemoPage.open(bob, relay.origin, room)
  return { relay, ada, bob, room, a, b, ...(await meetDirectly(a, b)) }
}

scenario('two people with one link find each other by the room and connect directly over WebRTC', async (scope) => {
  const { a, b, idA, idB } = await connected(scope)
  assert.deepEqual(await a.members(), [idB])
  assert.deepEqual(await b.members(), [idA])
  await a.reaches(['direct'])
  await b.reaches(['direct'])
  await flowsDirectly(a, b, prose(20_000, 'from ada'))
  await flowsDirectly(b, a, prose(20_000, 'from bob'))
})

scenario('both type at once and their texts converge', async (scope) => {
  const { a, b } = await connected(scope)
  await Promise.all([a.write('The quick brown fox. '), b.write('Jumps over the dog. ')])
  const text = await converge([a, b], (text) => text.length === 'The quick brown fox. Jumps over the dog. '.length)
  assert.equal(await a.shown(), text)
  assert.equal(await b.shown(), text)
})

scenario('two people who open the link at the same moment end with one shared text', async (scope) => {
  const { relay, ada, bob, room } = await setting(scope)
  const [a, b] = await Promise.all([DemoPage.open(ada, relay.origin, room), DemoPage.open(bob, relay.origin, room)])
  const { idB } = await meetDirectly(a, b)
  await Promise.all([a.write('one '), b.write('two ')])
  await converge([a, b], (text) => text.length === 'one two '.length)
  await until('simultaneous dials end in one direct connection', async () => {
    const direct = (await a.connections()).filter((entry) => entry.peerId === idB && entry.direct)
    return direct.length === 1
  })
})

scenario('a late joiner gets everything that was written before', async (scope) => {
  const { a, b, relay, bob, room } = await connected(scope)
  await a.write('written by ada ')
  await b.write('written by bob ')
  const text = await converge([a, b], (text) => text.length === 'written by ada written by bob '.length)
  const late = await DemoPage.open(bob, relay.origin, room)
  await late.has(text)
  assert.equal(await late.text(), text)
  // Also from one who stayed, when the first writer has gone.
  await a.close()
  await late.write('and by the late one ')
  await converge([late, b], (now) => now.includes('and by the late one '))
})

scenario('a tab that was closed and opened again gets the text back and goes on writing', async (scope) => {
  const { a, b, relay, ada, room } = await connected(scope)
  await a.write('before ')
  await b.has('before ')
  await a.close()
  await until('the other side notices', async () => (await b.members()).length === 0)
  const again = await DemoPage.open(ada, relay.origin, room)
  await again.has('before ')
  await meetDirectly(again, b)
  await again.write('after ')
  await converge([again, b], (text) => text.includes('before ') && text.includes('after '))
})

scenario('the relay is killed and the direct connection goes on working', async (scope) => {
  const { a, b, relay, idB } = await connected(scope)
  await a.write('with a relay ')
  await b.has('with a relay ')
  await relay.kill()
  await until('the page notices that the relay has gone', async () =>
    (await a.connections()).every((entry) => entry.peerId === idB),
  )
  await a.write('without a relay ')
  await b.has('without a relay ')
  await b.write('and back ')
  await converge([a, b], (text) => text.includes('and back '))
  await a.reaches(['direct'])
})

scenario('the relay is restarted and everything recovers', async (scope) => {
  const { a, b, relay, bob, room } = await connected(scope)
  await relay.kill()
  await a.write('meanwhile ')
  await b.has('meanwhile ')
  await relay.start()
  // A newcomer finds the others only if they came back to the relay by themselves and joined their room again.
  const late = await DemoPage.open(bob, relay.origin, room)
  await late.has('meanwhile ', 45_000)
  await Promise.all([meetDirectly(late, a, 45_000), meetDirectly(late, b, 45_000)])
  await late.write('again ')
  await converge([a, b, late], (text) => text.includes('again ') && text.includes('meanwhile '))
})

scenario('without UDP for WebRTC the text travels through the relay', async (scope) => {
  needed(PAGE_DIST, 'build it with: cargo xtask build')
  const [relay, ada, bob] = await Promise.all([
    scope.relay({ page: PAGE_DIST }),
    scope.chromium('ada', { flags: [NO_WEBRTC_UDP] }),
    scope.chromium('bob'),
  ])
  const room = newRoom()
  const a = await DemoPage.open(ada, relay.origin, room)
  await a.write('through the relay ')
  const b = await DemoPage.open(bob, relay.origin, room)
  await b.has('through the relay ')
  await b.write('and back ')
  await converge([a, b], (text) => text.includes('through the relay ') && text.includes('and back '))
  await a.reaches(['relayed'])
  const connections = await a.connections()
  assert.ok(connections.every((entry) => entry.transport !== 'webrtc'), JSON.stringify(connections))
  // More than the library's circuits of 128 KiB would have let through.
  const long = prose(400_000, 'long')
  await a.append(long)
  await b.has(long)
})

scenario('a document of 1 MiB reaches the other side, and small changes after it', async (scope) => {
  const { a, b, relay, bob, room } = await connected(scope)
  const long = prose(1024 * 1024, 'a long document')
  await a.append(long)
  await b.has(long)
  const late = await DemoPage.open(bob, relay.origin, room)
  await late.has(long)
  await late.append('the end')
  await a.has('the end')
})

scenario('the page works under a strict content security policy and says nothing of violations', async (scope) => {
  const { a, b, relay } = await connected(scope)
  const policy = (await fetch(relay.origin)).headers.get('content-security-policy') ?? ''
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'/)
  assert.match(policy, /connect-src 'self' ws: wss:/)
  await a.write('under the policy ')
  await b.has('under the policy ')
  const refused = [...a.tab.console, ...b.tab.console].filter((line) => /Content Security Policy|Refused to/.test(line))
  assert.deepEqual(refused, [])
})

/**
 * The page served by a server that outlives the relay, which is how a page is there while nobody can be reached.
 * @param {import('../lib/scope.mjs').Scope} scope
 */
async function apart(scope) {
  needed(PAGE_DIST, 'build it with: cargo xtask build')
  const [relay, ada, bob] = await Promise.all([scope.relay(), scope.chromium('ada'), scope.chromium('bob')])
  const body = JSON.stringify({ multiaddrs: [relay.address], stun: relay.ready?.stun })
  const wellKnown = { type: 'application/json', body }
  /** @type {Record<string, typeof wellKnown>} */
  const answers = { '/.well-known/vivim': wellKnown }
  const site = await scope.open(serve({ folders: { '/': PAGE_DIST }, answers }))
  return { relay, ada, bob, origin: site.origin, answers, room: newRoom() }
}

scenario('a text is there after a reload without a relay, its unsynced changes are counted and reach others later', async (scope) => {
  const { relay, ada, bob, origin, room } = await apart(scope)
  const a = await DemoPage.open(ada, origin, room)
  const b = await DemoPage.open(bob, origin, room)
  await meetDirectly(a, b)
  await a.write('together ')
  await b.has('together ')
  // What a person reads: here, with somebody, and stored there.
  await a.says('people', /^With /)
  await a.says('stored', /^Stored by /)
  await a.says('device', /^Saved on this device$/)
  assert.equal((await a.keeping()).unsynced, 0)

  await relay.kill()
  await b.close()
  await until('nobody is there', async () => (await a.connections()).length === 0)
  await a.append('alone ')
  await a.says('people', /^\d+ changes? not yet with anybody$/)
  await a.saved()

  await a.reload()
  await a.has('together alone ', 10_000)
  assert.equal(await a.shown(), 'together alone ')
  await a.reaches(['no-relay'])
  const kept = await a.keeping()
  assert.equal(kept.device, 'Saved on this device')
  assert.ok(kept.unsynced > 0, JSON.stringify(kept))
  await a.append('after the reload ')
  await until('the change after the reload is counted, too', async () => (await a.keeping()).unsynced > kept.unsynced)
  assert.equal(await a.shown(), 'together alone after the reload ')

  await relay.start()
  const again = await DemoPage.open(bob, origin, room)
  // From its own storage at first, and then from the other process.
  await again.has('together ', 10_000)
  await again.has('alone after the reload ', 45_000)
  await until('everything has reached somebody', async () => (await a.keeping()).unsynced === 0)
  await converge([a, again], (text) => text === 'together alone after the reload ')
})

scenario('the texts on this device are listed, open from storage, and can be removed', async (scope) => {
  const { relay, ada, origin, room } = await apart(scope)
  const page = await DemoPage.open(ada, origin, room)
  await page.write('# First text')
  await page.has('First text')
  const other = newRoom()
  await page.visit(other)
  await until('the other text is open and empty', async () =>
    (await page.text()) === '' && (await page.shown()) === '')
  await page.opened()
  await page.write('# Second text')
  await page.has('Second text')
  await page.saved()
  await relay.kill()
  await page.reload()
  await page.has('Second text', 10_000)

  const rooms = await page.rooms()
  assert.deepEqual(rooms.map(({ room, title }) => [room, title]), [[other, 'Second text'], [room, 'First text']])
  for (const { unsynced } of rooms) assert.match(unsynced, /not yet with anybody/)
  // The list's link, with neither a relay nor a reload.
  await page.tab.evaluate((room) => {
    const row = document.querySelector(`[data-room="${room}"] a`)
    if (row instanceof HTMLElement) row.click()
  }, room)
  await page.has('First text', 10_000)
  await until('the editor shows it', async () => (await page.shown()) === '# First text')

  await page.rooms()
  for (const button of ['room-forget', 'room-remove']) {
    await page.tab.evaluate(
      ({ room, button }) => {
        const found = document.querySelector(`[data-room="${room}"] [data-testid=${button}]`)
        if (!(found instanceof HTMLElement)) throw new Error(`no ${button}`)
        found.click()
      },
      { room: other, button },
    )
    await page.tab.waitFor('the list has answered', ({ room, button }) =>
      button === 'room-forget'
        ? document.querySelector(`[data-room="${room}"] [data-testid=room-remove]`) !== null
        : document.querySelector(`[data-room="${room}"]`) === null, { room: other, button })
  }
  await page.reload()
  await page.has('First text', 10_000)
  assert.deepEqual((await page.rooms()).map(({ title }) => title), ['First text'])
})

scenario('what is undone is undone for everybody, and what others wrote stays', async (scope) => {
  const { a, b } = await connected(scope)
  await a.write('mine ')
  await b.has('mine ')
  await b.append('theirs ')
  await a.has('theirs ')
  await a.press('Control+z')
  await converge([a, b], (text) => text === 'theirs ')
  await a.press('Control+y')
  await converge([a, b], (text) => text.includes('mine ') && text.includes('theirs '))
  assert.equal(await a.shown(), await a.text())
  assert.equal(await b.shown(), await b.text())
})

scenario('the page itself opens again when its own server, the relay, has gone, and so do its texts', async (scope) => {
  const { relay, ada, room } = await setting(scope)
  const a = await DemoPage.open(ada, relay.origin, room)
  await a.write('still here ')
  await a.saved()
  await a.tab.waitFor('the page is kept', () => navigator.serviceWorker.ready.then(() => true))
  await relay.kill()
  await a.reload()
  await a.has('still here ', 10_000)
  await until('the editor shows it', async () => (await a.shown()) === 'still here ')
  const other = newRoom()
  await a.visit(other)
  await a.opened()
  await a.write('a new one without a network')
  await a.has('a new one without a network')
  // Everything as before when the server is back.
  await relay.start()
  await a.reaches(['alone'], 45_000)
})

scenario('a text goes on over a relay that is named only later, and over another one after it', async (scope) => {
  const { ada, bob, relay, room, origin, answers } = await apart(scope)
  const named = answers['/.well-known/vivim']
  delete answers['/.well-known/vivim']
  const a = await DemoPage.open(ada, origin, room)
  await a.write('before any relay ')
  await a.reaches(['no-relay'])

  answers['/.well-known/vivim'] = named
  const b = await DemoPage.open(bob, origin, room)
  await b.has('before any relay ', 30_000)
  // Another relay in its place: nobody has the address any more that the pages know.
  await relay.end()
  await b.close()
  const other = await scope.relay()
  answers['/.well-known/vivim'] = { ...named, body: JSON.stringify({ multiaddrs: [other.address] }) }
  await until('the relay is found', async () => (await a.connections()).some(({ relay }) => relay), { timeout: 45_000 })
  await a.write('after it ')
  const again = await DemoPage.open(bob, origin, room)
  const text = await converge([a, again], (text) => text.includes('after it '), 45_000)
  assert.equal(await a.shown(), text)
})

scenario('two who edit, undo and redo at random see what their documents hold, and the same', async (scope) => {
  const { a, b } = await connected(scope)
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`  seed ${seed}`)
  const random = generator(seed)
  const keys = [
    ...['Backspace', 'Delete', 'Enter', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'Home', 'End'],
    ...['Shift+ArrowLeft', 'Shift+ArrowUp', 'Control+z', 'Control+y'],
  ]
  const words = ['fox ', 'dog', 'a', '👩‍🚀', 'é ', 'und so weiter ']
  /** @param {DemoPage} page */
  const edit = async (page) => {
    for (let step = 0; step < 60; step += 1) {
      if (random() < 0.5) await page.insert(words[Math.floor(random() * words.length)])
      else await page.press(keys[Math.floor(random() * keys.length)])
    }
  }
  await Promise.all([edit(a), edit(b)])
  const text = await converge([a, b], () => true)
  for (const page of [a, b]) {
    await until(`the editor shows the document (seed ${seed})`, async () => (await page.shown()) === text)
  }
})

/** Numbers from 0 to 1, the same for the same seed (mulberry32). @param {number} seed */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
