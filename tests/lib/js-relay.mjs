// js-libp2p's own relay, in a process of its own: the other side of the start and dial measurements.

import { fileURLToPath } from 'node:url'
import { start } from './processes.mjs'

/** @returns {Promise<{ address: string, close: () => Promise<void> }>} */
export async function launchJsRelay() {
  const child = start(process.execPath, [fileURLToPath(new URL('./js-relay-main.mjs', import.meta.url))])
  const line = await child.line((line) => line.startsWith('ready '))
  return { address: line.slice('ready '.length), close: () => child.end() }
}
