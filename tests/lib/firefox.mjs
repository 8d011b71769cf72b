// Firefox, driven by plain WebDriver HTTP through geckodriver: the few calls the suites need.

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { firefoxBinary, geckodriverBinary } from './paths.mjs'
import { signalTree, start } from './processes.mjs'
import { until } from './wait.mjs'

/** A page script may take this long before WebDriver gives up on it. */
const SCRIPT_TIMEOUT_MS = 120_000
/** The key under which WebDriver hands out elements. */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'

/** @typedef {import('./chromium.mjs').Tab} Tab */

export class Firefox {
  /** @type {'firefox'} */
  kind = 'firefox'

  /**
   * @param {string} name
   * @param {{ prefs?: Record<string, string | number | boolean> }} [options]
   */
  static async launch(name, { prefs = {} } = {}) {
    const port = await freePort()
    // The second port is Marionette's; geckodriver picks a free one for 0.
    const driver = start(geckodriverBinary(), ['--port', `${port}`, '--marionette-port', '0'])
    try {
      await driver.line((line) => line.includes('Listening on'))
      const session = new Session(`http://127.0.0.1:${port}`)
      await session.open({
        alwaysMatch: {
          timeouts: { script: SCRIPT_TIMEOUT_MS },
          'moz:firefoxOptions': {
            binary: firefoxBinary(),
            args: ['-headless'],
            prefs: { 'devtools.console.stdout.content': true, ...prefs },
          },
        },
      })
      return new Firefox(name, driver, session)
    } catch (error) {
      signalTree(driver.pid, 'SIGKILL')
      throw error
    }
  }

  /**
   * @param {string} name
   * @param {import('./processes.mjs').Child} driver
   * @param {Session} session
   */
  constructor(name, driver, session) {
    this.name = name
    this.driver = driver
    this.session = session
    /** @type {FirefoxTab[]} */
    this.tabs = []
  }

  /**
   * @param {string} [url]
   * @returns {Promise<FirefoxTab>}
   */
  async tab(url) {
    const { handle } = await this.session.post('/window/new', { type: 'tab' })
    const tab = new FirefoxTab(`${this.name}-${this.tabs.length + 1}`, this, handle)
    this.tabs.push(tab)
    if (url) await tab.goto(url)
    return tab
  }

  async close() {
    await this.session.close().catch(() => undefined)
    signalTree(this.driver.pid, 'SIGTERM')
    await this.driver.end()
  }
}

/** @implements {Tab} */
export class FirefoxTab {
  /**
   * @param {string} name
   * @param {Firefox} browser
   * @param {string} handle
   */
  constructor(name, browser, handle) {
    this.name = name
    this.browser = browser
    this.handle = handle
  }

  /** What this browser's pages printed (all tabs of it: geckodriver has one stream). */
  get console() {
    return this.browser.driver.lines.filter((line) => line.startsWith('console.') || line.includes('JavaScript error'))
  }

  /**
   * WebDriver has one current window; the calls of all tabs are queued so that each runs in its own.
   * @template T
   * @param {(session: Session) => Promise<T>} run
   * @returns {Promise<T>}
   */
  inside(run) {
    return this.browser.session.exclusive(async () => {
      await this.browser.session.post('/window', { handle: this.handle })
      return run(this.browser.session)
    })
  }

  /** @param {string} url */
  async goto(url) {
    await this.inside((session) => session.post('/url', { url }))
  }

  /**
   * @template A, R
   * @param {(arg: A) => R | Promise<R>} run
   * @param {A} [arg]
   * @returns {Promise<Awaited<R>>}
   */
  async evaluate(run, arg) {
    const script = `const done = arguments[1];
      Promise.resolve().then(() => (${run})(arguments[0])).then(
        (value) => done({ value }), (error) => done({ error: String(error && error.stack || error), text: String(error) }))`
    const answer = await this.inside((session) =>
      session.post('/execute/async', { script, args: [arg === undefined ? null : arg] }),
    )
    if (answer?.text !== undefined) throw new Error(`${answer.text}\n${answer.error}`)
    return answer?.value
  }

  /**
   * @param {string} what
   * @param {(arg: any) => unknown} run
   * @param {unknown} [arg]
   * @param {number} [timeout]
   */
  async waitFor(what, run, arg, timeout = 20_000) {
    await until(`${this.name}: ${what}`, () => this.evaluate(run, arg), { timeout, interval: 50 })
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  async type(selector, text) {
    await this.inside(async (session) => {
      const element = await session.post('/element', { using: 'css selector', value: selector })
      await session.post(`/element/${element[ELEMENT]}/click`, {})
      const actions = [...text].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }])
      await session.post('/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] })
    })
  }

  /** @param {string} path */
  async screenshot(path) {
    const data = await this.inside((session) => session.get('/screenshot'))
    writeFileSync(path, Buffer.from(data, 'base64'))
  }

  async close() {
    await this.inside((session) => session.call('DELETE', '/window'))
  }
}

/** One WebDriver session over HTTP. */
class Session {
  /** @param {string} base */
  constructor(base) {
    this.base = base
    this.id = ''
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve()
  }

  /** @param {object} capabilities */
  async open(capabilities) {
    const response = await this.call('POST', '', { capabilities }, `${this.base}/session`)
    this.id = response.sessionId
  }

  /**
   * @template T
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  exclusive(run) {
    const next = this.last.then(run, run)
    this.last = next.catch(() => undefined)
    return next
  }

  /** @param {string} path */
  get(path) {
    return this.call('GET', path)
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  post(path, body) {
    return this.call('POST', path, body)
  }

  close() {
    return this.call('DELETE', '')
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {string} [url]
   * @returns {Promise<any>}
   */
  async call(method, path, body, url = `${this.base}/session/${this.id}${path}`) {
    const response = await fetch(url, {
      method,
      headers: body ? { 'content-type': 'application/json' } : {},
      body: body && JSON.stringify(body),
    })
    const { value } = /** @type {{ value: any }} */ (await response.json())
    if (!response.ok) throw new Error(`WebDriver ${method} ${path}: ${value.error}: ${value.message}`)
    return value
  }
}

/** @returns {Promise<number>} a TCP port that was free just now */
export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
