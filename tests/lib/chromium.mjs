// A Chromium of its own: own process, own profile, stoppable and killable as a whole.

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { chromiumBinary, workDir } from './paths.mjs'
import { findMain, signalTree, tree } from './processes.mjs'
import { until, within } from './wait.mjs'

/**
 * `--disable-features` is given once: Chromium takes the last one only, so Playwright's own list is not repeated.
 * mDNS names of host candidates resolve on one machine, also in a container; nothing is switched off for WebRTC.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Two windows share one machine: neither may be slowed down as a background window.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
]

/** UDP refused to WebRTC: what a strict firewall does to it. */
export const NO_WEBRTC_UDP = '--webrtc-ip-handling-policy=disable_non_proxied_udp'

/**
 * One tab, the same for every browser.
 * @typedef {object} Tab
 * @property {string} name
 * @property {string[]} console
 * @property {(url: string) => Promise<void>} goto
 * @property {<A, R>(run: (arg: A) => R | Promise<R>, arg?: A) => Promise<Awaited<R>>} evaluate
 * @property {(what: string, run: (arg: any) => unknown, arg?: unknown, timeout?: number) => Promise<void>} waitFor
 * @property {(selector: string, text: string) => Promise<void>} type clicks the element and types
 * @property {(path: string) => Promise<void>} screenshot
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Browser
 * @property {string} name
 * @property {'chromium' | 'firefox'} kind
 * @property {(url?: string) => Promise<Tab>} tab opens a tab
 * @property {() => Promise<void>} close
 */

export class Chromium {
  /** @type {'chromium'} */
  kind = 'chromium'

  /**
   * @param {string} name
   * @param {{ flags?: string[], viewport?: { width: number, height: number }, colorScheme?: 'light' | 'dark', scale?: number, bare?: boolean, profile?: string }} [options]
   * `bare` leaves out everything but what a headless container needs; a `profile` that is given outlives the browser.
   */
  static async launch(name, { flags = [], viewport, colorScheme, scale, bare = false, profile: given } = {}) {
    const profile = given ?? mkdtempSync(join(workDir('profiles'), `${name}-`))
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumBinary(),
      headless: true,
      args: [...(bare ? FLAGS.slice(0, 2) : FLAGS), ...flags],
      viewport: viewport ?? { width: 1000, height: 700 },
      colorScheme,
      deviceScaleFactor: scale,
      ignoreHTTPSErrors: true,
    })
    const pid = await until('the process of Chromium', () => findMain(`--user-data-dir=${profile}`))
    return new Chromium(name, context, pid, profile, given === undefined)
  }

  /**
   * @param {string} name
   * @param {import('playwright-core').BrowserContext} context
   * @param {number} pid
   * @param {string} profile
   * @param {boolean} [ownsProfile] whether the profile goes with the browser
   */
  constructor(name, context, pid, profile, ownsProfile = true) {
    this.name = name
    this.context = context
    this.pid = pid
    this.profile = profile
    this.ownsProfile = ownsProfile
    this.stopped = false
    /** @type {ChromiumTab[]} */
    this.tabs = []
  }

  /**
   * @param {string} [url]
   * @returns {Promise<ChromiumTab>}
   */
  async tab(url) {
    const tab = new ChromiumTab(`${this.name}-${this.tabs.length + 1}`, await this.context.newPage())
    this.tabs.push(tab)
    if (url) await tab.goto(url)
    return tab
  }

  /** Freezes every process of this browser, as a closed laptop lid does. */
  stop() {
    signalTree(this.pid, 'SIGSTOP')
    this.stopped = true
  }

  /** Goes on after `stop`. */
  resume() {
    signalTree(this.pid, 'SIGCONT')
    this.stopped = false
  }

  /** Ends the browser without letting it say goodbye. */
  async kill() {
    // All of it stands still first: no process of it gets to react to the end of another.
    const pids = tree(this.pid)
    for (const signal of /** @type {const} */ (['SIGSTOP', 'SIGKILL'])) {
      for (const pid of pids) {
        try {
          process.kill(pid, signal)
        } catch {
          // Already gone.
        }
      }
    }
    await this.close()
  }

  async close() {
    if (this.stopped) this.resume()
    await within(this.context.close(), 5_000, 'Chromium closes').catch(() => signalTree(this.pid, 'SIGKILL'))
    if (this.ownsProfile) rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** @implements {Tab} */
export class ChromiumTab {
  /**
   * @param {string} name
   * @param {import('playwright-core').Page} page
   */
  constructor(name, page) {
    this.name = name
    this.page = page
    /** @type {string[]} */
    this.console = []
    page.on('console', (message) => this.console.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => this.console.push(`uncaught: ${error.stack ?? error.message}`))
    page.on('crash', () => this.console.push('the tab crashed'))
  }

  /** @param {string} url */
  async goto(url) {
    await this.page.goto(url)
  }

  /**
   * @template A, R
   * @param {(arg: A) => R | Promise<R>} run
   * @param {A} [arg]
   * @returns {Promise<Awaited<R>>}
   */
  evaluate(run, arg) {
    return /** @type {any} */ (this.page.evaluate(/** @type {any} */ (run), arg))
  }

  /**
   * @param {string} what
   * @param {(arg: any) => unknown} run
   * @param {unknown} [arg]
   * @param {number} [timeout]
   */
  async waitFor(what, run, arg, timeout = 20_000) {
    try {
      await this.page.waitForFunction(run, arg, { timeout, polling: 20 })
    } catch (error) {
      throw new Error(`${this.name}: not within ${timeout} ms: ${what}`, { cause: error })
    }
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  async type(selector, text) {
    await this.page.click(selector)
    await this.page.keyboard.type(text)
  }

  /** @param {string} path */
  async screenshot(path) {
    await this.page.screenshot({ path })
  }

  async close() {
    await this.page.close()
  }
}
