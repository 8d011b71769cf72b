// y-webrtc's own signaling server (a publish/subscribe hub over WebSocket) in a process of its own.

import { join } from 'node:path'
import { freePort } from './firefox.mjs'
import { TESTS } from './paths.mjs'
import { start } from './processes.mjs'
import { until } from './wait.mjs'

/** @returns {Promise<{ url: string, close: () => Promise<void> }>} */
export async function launchSignaling() {
  const port = await freePort()
  const child = start(process.execPath, [join(TESTS, 'node_modules/y-webrtc/bin/server.js')], {
    env: { PORT: `${port}` },
  })
  await until('the signaling server answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
  return { url: `ws://127.0.0.1:${port}`, close: () => child.end() }
}
