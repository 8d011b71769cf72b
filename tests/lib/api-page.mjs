// Test pages with `window.peer`, the package or js-libp2p, opened in a browser of their own.

/**
 * @param {{ tab: (url?: string) => Promise<import('./chromium.mjs').Tab> }} browser
 * @param {string} origin
 * @returns {Promise<import('./chromium.mjs').Tab>}
 */
export async function openPeer(browser, origin) {
  const tab = await browser.tab(`${origin}/`)
  await tab.waitFor('the page is ready', () => 'peer' in window)
  return tab
}

/**
 * @param {{ tab: (url?: string) => Promise<import('./chromium.mjs').Tab> }} browser
 * @param {string} origin
 * @param {string} relay
 * @param {object} [config]
 * @returns {Promise<import('./chromium.mjs').Tab & { id: string }>} a page with a started node that others can reach
 */
export async function startPeer(browser, origin, relay, config) {
  const tab = await openPeer(browser, origin)
  await tab.evaluate((options) => window.peer.start(options), { relay, config })
  const id = await tab.evaluate(() => window.peer.peerId())
  return Object.assign(tab, { id })
}

/** @param {import('./chromium.mjs').Tab} tab @returns {Promise<string>} */
export function addressOf(tab) {
  return tab.evaluate(() => window.peer.address())
}

/**
 * Calls one function of the page's peer.
 * @param {import('./chromium.mjs').Tab} tab
 * @param {string} method
 * @param {...unknown} args
 * @returns {Promise<any>}
 */
export function ask(tab, method, ...args) {
  return tab.evaluate(({ method, args }) => window.peer[method](...args), { method, args })
}

/**
 * The error's code and message when the call rejects; `undefined` when it doesn't.
 * @param {import('./chromium.mjs').Tab} tab
 * @param {string} script an expression over `node`, evaluated in the page
 * @returns {Promise<{ code?: string, name: string, message: string } | undefined>}
 */
export function failure(tab, script) {
  return tab.evaluate(async (script) => {
    try {
      await Object.getPrototypeOf(async () => undefined).constructor('node', `return ${script}`)(window.peer.node)
      return undefined
    } catch (/** @type {any} */ error) {
      return { code: error.code, name: error.name, message: error.message }
    }
  }, script)
}
