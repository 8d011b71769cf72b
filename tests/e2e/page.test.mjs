// The demo page, served by the real relay, in two Chromium processes.

import { strict as assert } from 'node:assert'
import { NO_WEBRTC_UDP } from '../lib/chromium.mjs'
import { DemoPage, converge, flowsDirectly, meetDirectly, newRoom, prose } from '../lib/demo-page.mjs'
import { PAGE_DIST, needed } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'
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
