// Our relay as a process: started on free ports, stopped, killed, and started again where it was.

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { relayBinary, workDir } from './paths.mjs'
import { start } from './processes.mjs'

/**
 * What the relay prints when it listens.
 * @typedef {object} Ready
 * @property {string} peerId
 * @property {string[]} multiaddrs
 * @property {string} http
 * @property {string[]} stun as `iceServers` wants them
 */

export class Relay {
  /**
   * @param {{ page?: string, host?: string, args?: string[] }} [options] `page` is the folder served at `/`
   */
  static async launch({ page, host = '127.0.0.1', args = [] } = {}) {
    const relay = new Relay(mkdtempSync(join(workDir('relays'), 'data-')), host, page, args)
    await relay.start()
    return relay
  }

  /**
   * @param {string} dataDir
   * @param {string} host
   * @param {string | undefined} page
   * @param {string[]} args
   */
  constructor(dataDir, host, page, args) {
    this.dataDir = dataDir
    this.host = host
    this.page = page
    this.args = args
    /** The ports of the first start, kept for the later ones: clients come back to the same address. */
    this.ports = { ws: 0, tcp: 0, http: 0, stun: 0 }
    /** @type {import('./processes.mjs').Child | undefined} */
    this.child = undefined
    /** @type {Ready | undefined} */
    this.ready = undefined
    /** @type {string[]} everything printed by all its lives */
    this.log = []
  }

  async start() {
    const child = start(
      relayBinary(),
      [
        ...['--data-dir', this.dataDir, '--host', this.host],
        ...['--ws-port', `${this.ports.ws}`, '--tcp-port', `${this.ports.tcp}`],
        ...['--http-port', `${this.ports.http}`, '--stun-port', `${this.ports.stun}`],
        ...(this.page ? ['--page', this.page] : []),
        ...this.args,
      ],
      { env: { RUST_LOG: process.env.RUST_LOG ?? 'info' } },
    )
    this.child = child
    const line = await child.line((line) => line.startsWith('ready '))
    this.log.push(...child.lines)
    this.ready = /** @type {Ready} */ (JSON.parse(line.slice('ready '.length)))
    this.ports = {
      ws: port(this.ready.multiaddrs.find((addr) => addr.includes('/ws')), /\/tcp\/(\d+)\//),
      tcp: port(this.ready.multiaddrs.find((addr) => !addr.includes('/ws')), /\/tcp\/(\d+)/),
      http: port(this.ready.http, /:(\d+)$/),
      stun: port(this.ready.stun[0], /:(\d+)$/),
    }
  }

  /** The WebSocket address with the peer id, as a browser is given it. */
  get address() {
    const address = this.ready?.multiaddrs.find((addr) => addr.includes('/ws'))
    if (!address) throw new Error('the relay printed no WebSocket address')
    return address
  }

  /** The HTTP origin of the page. */
  get origin() {
    return `http://${this.host}:${this.ports.http}`
  }

  get lines() {
    return this.child?.lines ?? []
  }

  /** Ends it at once, without a goodbye. */
  async kill() {
    await this.child?.kill()
  }

  /** Ends it as an operator does. */
  async end() {
    await this.child?.end()
  }

  async close() {
    await this.end()
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

/**
 * @param {string | undefined} text
 * @param {RegExp} pattern
 */
function port(text, pattern) {
  return Number(text?.match(pattern)?.[1] ?? 0)
}
