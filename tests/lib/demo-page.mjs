// The demo page as a person uses it, in any browser. What is asked of its parts goes through `window.vivim`, which
// the page offers for that.

import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { ChromiumTab } from './chromium.mjs'
import { until } from './wait.mjs'

/** A connection as the page's node lists it. @typedef {{ peerId: string, remoteAddr: string, transport: string, direct: boolean, relay: boolean, bytesSent: number, bytesReceived: number, rtt?: number }} Connection */

const EDITOR = '[data-testid=editor]'

export class DemoPage {
  /**
   * @param {{ tab: (url?: string) => Promise<import('./chromium.mjs').Tab> }} browser
   * @param {string} origin
   * @param {string} room
   */
  static async open(browser, origin, room) {
    const page = new DemoPage(await browser.tab(`${origin}/#${room}`))
    await page.tab.waitFor('the editor is there', () => document.querySelector('[data-testid=editor]') !== null)
    return page
  }

  /** @param {import('./chromium.mjs').Tab} tab */
  constructor(tab) {
    this.tab = tab
  }

  /** Types into the editor as a person does. @param {string} text */
  async write(text) {
    await this.tab.type(EDITOR, text)
  }

  /** Puts text at the end of the document without the keyboard, for lengths nobody types. @param {string} text */
  async append(text) {
    await this.tab.evaluate((text) => window.vivim.text.append(text), text)
  }

  text() {
    return this.tab.evaluate(() => /** @type {string} */ (window.vivim.text?.toString() ?? ''))
  }

  /** Waits until the text has been read from the storage of this device. @param {number} [timeout] */
  async opened(timeout) {
    await this.tab.waitFor(
      'the document is open',
      () => document.querySelector('[data-testid=keeping-device]')?.textContent?.startsWith('Saved'),
      undefined,
      timeout,
    )
  }

  /** Waits until everything that was written is durable on this device. */
  async saved() {
    await this.tab.evaluate(() => window.vivim.document.flush())
  }

  /** What the page says of where the changes are, and how many nobody else has. */
  keeping() {
    return this.tab.evaluate(() => {
      const said = (/** @type {string} */ stage) =>
        document.querySelector(`[data-testid=keeping-${stage}]`)?.textContent ?? ''
      const list = document.querySelector('[data-testid=keeping]')
      return {
        device: said('device'),
        people: said('people'),
        stored: said('stored'),
        unsynced: Number(list?.getAttribute('data-unsynced')),
      }
    })
  }

  /**
   * Waits for what the page says of one stage.
   * @param {'device' | 'people' | 'stored'} stage
   * @param {RegExp} words
   * @param {number} [timeout]
   */
  async says(stage, words, timeout) {
    await this.tab.waitFor(
      `the page says ${words}`,
      ({ stage, source }) =>
        new RegExp(source).test(document.querySelector(`[data-testid=keeping-${stage}]`)?.textContent ?? ''),
      { stage, source: words.source },
      timeout,
    )
  }

  /** Opens the list of the texts on this device, and reads it. */
  async rooms() {
    await this.tab.evaluate(() => {
      const button = document.querySelector('[data-testid=rooms-open]')
      if (button instanceof HTMLElement) button.click()
    })
    await this.tab.waitFor('the list is open', () => document.querySelector('[data-testid=rooms-dialog][open]'))
    return this.tab.evaluate(() =>
      [...document.querySelectorAll('[data-testid=room]')].map((row) => ({
        room: row.getAttribute('data-room') ?? '',
        title: row.querySelector('.room-title')?.textContent ?? '',
        unsynced: row.querySelector('[data-testid=room-unsynced]')?.textContent ?? '',
      })),
    )
  }

  /** Presses keys in the editor, such as `Control+z`. Chromium only. @param {string} keys */
  async press(keys) {
    await this.#chromium().page.press(EDITOR, keys)
  }

  /** Types text into the editor where its cursor is. Chromium only. @param {string} text */
  async insert(text) {
    await this.#chromium().page.keyboard.insertText(text)
  }

  /** What the editor shows, line by line, without its placeholder. */
  shown() {
    return this.tab.evaluate(() =>
      [...document.querySelectorAll('.cm-line')]
        .map((line) => (line.querySelector('.cm-placeholder') === null ? (line.textContent ?? '') : ''))
        .join('\n'),
    )
  }

  /** Opens the sheet below the text, on a narrow screen. */
  async openSheet() {
    await this.tab.evaluate(() => {
      const handle = document.querySelector('[data-testid=sheet-handle]')
      if (handle instanceof HTMLElement) handle.click()
    })
    // It slides.
    await this.tab.waitFor('the sheet is open', () =>
      document.getAnimations().every((animation) => !(animation instanceof CSSTransition)),
    )
  }

  #chromium() {
    if (!(this.tab instanceof ChromiumTab)) throw new Error('this needs a tab of Chromium')
    return this.tab
  }

  /** Opens another room in this tab, as a link does. @param {string} room */
  async visit(room) {
    await this.tab.evaluate((room) => {
      location.hash = `#${room}`
    }, room)
    await this.tab.waitFor('the other room is open', (room) => window.vivim?.document?.roomName === room, room)
  }

  /** Reloads the page. */
  async reload() {
    await this.tab.evaluate(() => location.reload()).catch(() => undefined) // The page is gone before it answers.
    await this.tab.waitFor('the editor is there again', () => document.querySelector('[data-testid=editor]') !== null)
  }

  /** @param {string} text @param {number} [timeout] */
  async has(text, timeout) {
    await this.tab.waitFor(
      `the text has ${JSON.stringify(text.slice(0, 40))}`,
      (text) => window.vivim?.text?.toString().includes(text),
      text,
      timeout,
    )
  }

  status() {
    return this.tab.evaluate(() => {
      const line = document.querySelector('[data-testid=status]')
      return `${line?.getAttribute('data-state')}`
    })
  }

  /** @param {string[]} states @param {number} [timeout] */
  async reaches(states, timeout) {
    await this.tab.waitFor(
      `the status is ${states.join(' or ')}`,
      (states) =>
        states.includes(document.querySelector('[data-testid=status]')?.getAttribute('data-state') ?? '') &&
        window.vivim !== undefined,
      states,
      timeout,
    )
  }

  peerId() {
    return this.tab.evaluate(() => window.vivim.node.getPeerId())
  }

  /** @returns {Promise<Connection[]>} */
  connections() {
    return this.tab.evaluate(() => (window.vivim.node?.getConnections() ?? []).map((/** @type {any} */ entry) => ({ ...entry })))
  }

  /** Peer ids of the room's other members. @returns {Promise<string[]>} */
  members() {
    return this.tab.evaluate(() => (window.vivim.room?.peers() ?? []).map((/** @type {any} */ peer) => peer.peerId))
  }

  /** Waits for a direct WebRTC connection to the peer. @param {string} peerId @param {number} [timeout] */
  async direct(peerId, timeout) {
    await this.tab.waitFor(
      'a direct WebRTC connection',
      (peerId) =>
        window.vivim?.node
          ?.getConnections()
          .some((/** @type {any} */ entry) => entry.peerId === peerId && entry.direct && entry.transport === 'webrtc'),
      peerId,
      timeout,
    )
  }

  /**
   * Bytes on the way to one peer by path, added over its connections.
   * @param {string} peerId
   */
  async bytes(peerId) {
    const paths = { direct: { sent: 0, received: 0 }, relayed: { sent: 0, received: 0 } }
    for (const entry of await this.connections()) {
      if (entry.peerId !== peerId) continue
      const path = paths[entry.direct && entry.transport === 'webrtc' ? 'direct' : 'relayed']
      path.sent += entry.bytesSent
      path.received += entry.bytesReceived
    }
    return paths
  }

  close() {
    return this.tab.close()
  }
}

/** A room name nobody else uses. */
export function newRoom() {
  return `test-${randomUUID()}`
}

/**
 * Waits until both sides have each other directly.
 * @param {DemoPage} a
 * @param {DemoPage} b
 * @param {number} [timeout]
 */
export async function meetDirectly(a, b, timeout) {
  // The page has its node only after the wasm and the relay's address are there.
  for (const page of [a, b]) await page.tab.waitFor('the page joined the room', () => window.vivim?.room, undefined, timeout)
  const [idA, idB] = await Promise.all([a.peerId(), b.peerId()])
  await Promise.all([a.direct(idB, timeout), b.direct(idA, timeout)])
  return { idA, idB }
}

/**
 * Waits until all have the same text, and returns it.
 * @param {DemoPage[]} pages
 * @param {(text: string) => boolean} complete what else must hold of the text
 * @param {number} [timeout]
 */
export async function converge(pages, complete, timeout = 20_000) {
  return until(
    'all pages have the same text',
    async () => {
      const texts = await Promise.all(pages.map((page) => page.text()))
      if (texts.some((text) => text !== texts[0])) throw new Error(JSON.stringify(texts.map((text) => text.slice(0, 200))))
      if (!complete(texts[0])) throw new Error(`equal, but not complete: ${texts[0].slice(0, 200)}`)
      return texts[0]
    },
    { timeout },
  )
}

/**
 * Asserts that `write` went over the direct connection: its bytes are counted there and not on the relayed one.
 * @param {DemoPage} from
 * @param {DemoPage} to
 * @param {string} text
 */
export async function flowsDirectly(from, to, text) {
  const peer = await to.peerId()
  const before = await from.bytes(peer)
  await from.append(text)
  await to.has(text)
  const after = await until('the bytes are counted', async () => {
    const bytes = await from.bytes(peer)
    return bytes.direct.sent - before.direct.sent >= text.length && bytes
  })
  const relayed = Math.max(0, after.relayed.sent - before.relayed.sent)
  assert.ok(relayed < text.length / 4, `${relayed} bytes went through the relay for ${text.length} written`)
}

/** Text of a size that no housekeeping of the network hides. @param {number} length @param {string} mark */
export function prose(length, mark) {
  return `${mark} ${'lorem ipsum dolor sit amet '.repeat(Math.ceil(length / 27))}`.slice(0, length)
}
