// Where the time of a cold start goes: the WebSocket frames, marks and a CPU profile of the late joiner.
//
//   node tools/cold-trace.mjs [--profile file.cpuprofile]

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { Scope } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'

const { values } = parseArgs({ options: { profile: { type: 'string' } } })
const ROUNDS = 3

const scope = new Scope('cold trace')
try {
  const [relay, a, b] = await Promise.all([scope.relay(), scope.chromium('late'), scope.chromium('first')])
  const site = await scope.open(
    serve({ answers: { ...(await bundleWithPackage('pages/cold-vivim.mjs')), '/': html(`import '/pages/cold-vivim.js'`) } }),
  )
  for (let round = 1; round <= ROUNDS; round++) {
    const query = new URLSearchParams({ room: crypto.randomUUID(), relay: relay.address })
    const first = await b.tab(`${site.origin}/?${query}&first=1`)
    await first.waitFor('the first member is in the room', () => 'member' in window && window.member())
    const late = await a.tab()
    const devtools = await a.context.newCDPSession(late.page)
    /** @type {{ at: number, what: string }[]} */
    const frames = []
    await devtools.send('Network.enable')
    devtools.on('Network.webSocketCreated', () => frames.push({ at: NaN, what: 'socket created' }))
    devtools.on('Network.webSocketHandshakeResponseReceived', ({ timestamp }) => frames.push({ at: timestamp, what: 'handshake' }))
    for (const [event, arrow] of /** @type {const} */ ([['Network.webSocketFrameSent', '>'], ['Network.webSocketFrameReceived', '<']])) {
      devtools.on(event, ({ timestamp, response }) =>
        frames.push({ at: timestamp, what: `${arrow} ${Buffer.from(response.payloadData, 'base64').length}` }),
      )
    }
    let begin = 0
    devtools.on('Network.requestWillBeSent', ({ timestamp }) => (begin ||= timestamp))
    const last = round === ROUNDS
    if (last && values.profile) {
      await devtools.send('Profiler.enable')
      await devtools.send('Profiler.setSamplingInterval', { interval: 200 })
      await devtools.send('Profiler.start')
    }
    await late.goto(`${site.origin}/?${query}`)
    await late.waitFor('the text of the first member', () => 'seenAt' in window)
    console.log(`round ${round}: ${await late.evaluate(() => window.seenAt)} ms`)
    if (last) {
      if (values.profile) {
        const { profile } = await devtools.send('Profiler.stop')
        writeFileSync(values.profile, JSON.stringify(profile))
      }
      for (const { at, what } of frames) console.log(`${((at - begin) * 1000).toFixed(1).padStart(8)}  ${what}`)
    }
    await late.close()
    await first.close()
  }
} finally {
  await scope.close()
}
