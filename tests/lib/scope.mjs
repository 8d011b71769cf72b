// What one test opened: closed in reverse order when it ends, and described in target/e2e when it failed.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Chromium } from './chromium.mjs'
import { Firefox } from './firefox.mjs'
import { ARTEFACTS } from './paths.mjs'
import { Relay } from './relay.mjs'

/** No case may hang the suite. */
const CASE_TIMEOUT_MS = 150_000

export class Scope {
  /** @param {string} name */
  constructor(name) {
    this.name = name
    /** @type {(() => Promise<unknown> | unknown)[]} */
    this.closers = []
    /** @type {import('./chromium.mjs').Browser[]} */
    this.browsers = []
    /** @type {Relay[]} */
    this.relays = []
  }

  /**
   * @param {() => Promise<unknown> | unknown} close
   */
  defer(close) {
    this.closers.push(close)
  }

  /**
   * @template {{ close: () => Promise<unknown> }} T
   * @param {Promise<T> | T} opening
   * @returns {Promise<T>}
   */
  async open(opening) {
    const thing = await opening
    this.defer(() => thing.close())
    return thing
  }

  /**
   * @param {string} name
   * @param {Parameters<typeof Chromium.launch>[1]} [options]
   */
  async chromium(name, options) {
    const browser = await this.open(Chromium.launch(name, options))
    this.browsers.push(/** @type {any} */ (browser))
    return browser
  }

  /**
   * @param {string} name
   * @param {Parameters<typeof Firefox.launch>[1]} [options]
   */
  async firefox(name, options) {
    const browser = await this.open(Firefox.launch(name, options))
    this.browsers.push(/** @type {any} */ (browser))
    return browser
  }

  /** @param {Parameters<typeof Relay.launch>[0]} [options] */
  async relay(options) {
    const relay = await this.open(Relay.launch(options))
    this.relays.push(relay)
    return relay
  }

  async close() {
    for (const close of this.closers.reverse()) await close()
    this.closers = []
  }

  /**
   * Leaves console logs, pictures and the relay's log of a failed case.
   * @param {unknown} error
   */
  async report(error) {
    const dir = join(ARTEFACTS, this.name.replace(/[^a-z0-9]+/gi, '-').slice(0, 80))
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'error.txt'), error instanceof Error ? `${error.stack}\n${error.cause ?? ''}` : String(error))
    for (const relay of this.relays) writeFileSync(join(dir, `relay-${relay.ports.http}.log`), relay.lines.join('\n'))
    for (const browser of this.browsers) {
      for (const tab of /** @type {any} */ (browser).tabs) {
        writeFileSync(join(dir, `${tab.name}.console.log`), tab.console.join('\n'))
        await Promise.race([
          tab.screenshot(join(dir, `${tab.name}.png`)).catch(() => undefined),
          new Promise((resolve) => setTimeout(resolve, 3_000).unref()),
        ])
      }
    }
    console.error(`  what the browsers and the relay said is in ${dir}`)
  }
}

/**
 * A named case with its own scope.
 * @param {string} name
 * @param {(scope: Scope) => Promise<void>} run
 * @param {{ timeout?: number }} [options]
 */
export function scenario(name, run, { timeout = CASE_TIMEOUT_MS } = {}) {
  test(name, { timeout }, async () => {
    const scope = new Scope(name)
    try {
      await run(scope)
    } catch (error) {
      await scope.report(error).catch((failure) => console.error(failure))
      throw error
    } finally {
      await scope.close()
    }
  })
}
