// y-websocket's own server in a process of its own.

import { join } from 'node:path'
import { freePort } from './firefox.mjs'
import { TESTS } from './paths.mjs'
import { start } from './processes.mjs'
import { until } from './wait.mjs'

/** @returns {Promise<{ url: string, close: () => Promise<void> }>} */
export async function launchYWebsocket() {
  const port = await freePort()
  const child = start(process.execPath, [join(TESTS, 'node_modules/@y/websocket-server/src/server.js')], {
    env: { HOST: '127.0.0.1', PORT: `${port}` },
  })
  await until('the y-websocket server answers', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok)
  return { url: `ws://127.0.0.1:${port}`, close: () => child.end() }
}
