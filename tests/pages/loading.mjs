// The module in two files: what a page does while the second isn't there.

import init, { whole } from 'vivim-wasm'
import { Start } from './start.mjs'

const isRest = (/** @type {unknown} */ input) => String(input instanceof Request ? input.url : input).includes('vivim_wasm_rest')
const fetchAnything = globalThis.fetch

/**
 * What becomes of the request for the second file that is made behind the first. One that is made in the middle of a
 * call is none of `fetch`.
 * @param {'held' | 'fails once'} what
 */
function setFetch(what) {
  let asked = 0
  globalThis.fetch = (input, options) => {
    if (!isRest(input)) return fetchAnything(input, options)
    if (what === 'held') return new Promise(() => undefined)
    return asked++ === 0 ? Promise.reject(new TypeError('no network')) : fetchAnything(input, options)
  }
}

export class Loading extends Start {
  /** @param {'held' | 'fails once'} what */
  setFetch(what) {
    setFetch(what)
  }

  /** Loads the module, and all of it. */
  async loadWhole() {
    await init()
    await whole()
  }

  /** Writes into a document that nobody else has, and gives its text. */
  async writeAlone() {
    const { document } = this
    if (!document) throw new Error('open it first')
    document.text('alone').insert(0, 'written')
    await document.flush()
    return document.text('alone').toString()
  }

  /** Calls what isn't in the first file: the size of an exported document, or the code of the error. */
  exported() {
    try {
      return this.document?.export().length
    } catch (error) {
      return /** @type {any} */ (error).code
    }
  }
}
