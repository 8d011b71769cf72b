// The same document in other tabs of this browser, over a BroadcastChannel: without a relay, and
// before the node runs. What is exchanged are the messages of y-protocols, in an envelope that says
// which tab they come from.

import { toHex } from './platform.js'
import { decodeMessage, encodeMessage, type Message } from './provider-wire.js'

/** Another tab, as far as it has told. */
export interface Tab {
  readonly id: string
  /** Its node's id, once it exchanges the document with somebody: it may be one of our own peers. */
  readonly peerId: string | undefined
  /** Whether it exchanges the document with others by itself. */
  readonly online: boolean
}

/** What the tabs are asked for and told by the provider. */
export interface TabsHost {
  summary(): Uint8Array
  diff(summary: Uint8Array): Uint8Array
  /** All awareness states known here, this tab's first; empty if there are none. */
  awareness(): Uint8Array
  /** Makes this tab's awareness newer than what others may remember as gone. */
  renewAwareness(): void
  applied(update: Uint8Array, from: Tab): void
  appliedAwareness(update: Uint8Array, from: Tab): void
  gone(tab: Tab): void
  refused(error: unknown): void
}

/** `hello` is answered by everybody with `here`, which is for one tab only, as is `rest`. */
type Kind = 'hello' | 'here' | 'rest' | 'news' | 'state' | 'bye'

interface Envelope extends Tab {
  kind: Kind
  to: string | undefined
  messages: Uint8Array[]
}

/** Bytes of a tab's id. */
const ID_BYTES = 16
/** Tabs that are remembered. Who has more gets everything by broadcast anyway. */
const MAX_TABS = 64

const KINDS: ReadonlySet<unknown> = new Set<Kind>(['hello', 'here', 'rest', 'news', 'state', 'bye'])

export class Tabs {
  readonly #host: TabsHost
  readonly #name: string
  readonly #id = toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))
  readonly #others = new Map<string, Tab>()
  readonly #abort = new AbortController()
  #channel: BroadcastChannel | undefined
  #peerId: string | undefined
  #online = false

  /** Whether tabs can talk here. In Node, where every worker would be a tab, only if asked for. */
  static available(wanted: boolean | undefined): boolean {
    if (wanted === false || typeof BroadcastChannel !== 'function') return false
    return wanted === true || typeof window === 'object'
  }

  constructor(room: string, name: string, host: TabsHost) {
    this.#host = host
    this.#name = `vivim:${encodeURIComponent(room.normalize())}/${encodeURIComponent(name.normalize())}`
    this.#open()
    if (typeof window !== 'object') return
    const options = { signal: this.#abort.signal, capture: true }
    addEventListener('pagehide', () => this.#shut(), options)
    addEventListener('pageshow', event => {
      if (event.persisted) this.#open()
    }, options)
  }

  #open(): void {
    if (this.#channel !== undefined) return
    const channel = channelOf(this.#name)
    if (channel === undefined) return
    // In Node an open channel would keep the process alive.
    if ('unref' in channel && typeof channel.unref === 'function') channel.unref()
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (channel === this.#channel && isEnvelope(data) && data.id !== this.#id) this.#receive(data)
    }
    this.#host.renewAwareness()
    this.#channel = channel
    this.greet()
  }

  #shut(): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#post('bye')
    this.#channel = undefined
    channel.close()
    for (const tab of [...this.#others.values()]) this.#forget(tab)
  }

  close(): void {
    this.#abort.abort()
    this.#shut()
  }

  get(id: string): Tab | undefined {
    return this.#others.get(id)
  }

  /** Whether any known tab is one of which this is true. */
  some(is: (tab: Tab) => boolean): boolean {
    for (const tab of this.#others.values()) if (is(tab)) return true
    return false
  }

  /** Exchanges everything with everybody again. */
  greet(): void {
    this.#post('hello', undefined, { kind: 'summary', bytes: this.#host.summary() }, ...this.#awareness())
  }

  /** Tells everybody. */
  tell(message: Message): void {
    this.#post('news', undefined, message)
  }

  /** Tells everybody whether this tab exchanges the document with others by itself. */
  setOnline(online: boolean, peerId: string | undefined): void {
    if (online === this.#online && peerId === this.#peerId) return
    this.#online = online
    this.#peerId = peerId
    if (this.#others.size > 0) this.#post('state')
  }

  #awareness(): Message[] {
    const bytes = this.#host.awareness()
    return bytes.length === 0 ? [] : [{ kind: 'awareness', bytes }]
  }

  #post(kind: Kind, to?: string, ...messages: Message[]): void {
    const envelope: Envelope = {
      kind, to, id: this.#id, peerId: this.#peerId, online: this.#online, messages: messages.map(encodeMessage),
    }
    this.#channel?.postMessage(envelope)
  }

  #forget(tab: Tab): void {
    if (this.#others.delete(tab.id)) this.#host.gone(tab)
  }

  #receive({ kind, to, id, peerId, online, messages }: Envelope): void {
    const tab: Tab = { id, peerId, online }
    if (kind === 'bye') return this.#forget(tab)
    if (this.#others.has(id) || this.#others.size < MAX_TABS) this.#others.set(id, tab)
    if (to !== undefined && to !== this.#id) return
    const answers: Message[] = []
    for (const bytes of messages) {
      try {
        const message = decodeMessage(bytes)
        if (message !== undefined) answers.push(...this.#take(message, tab))
      } catch (error) {
        this.#host.refused(error)
      }
    }
    if (kind === 'hello') {
      this.#post('here', id, ...answers, { kind: 'summary', bytes: this.#host.summary() }, ...this.#awareness())
    } else if (kind === 'here') {
      // What has changed since our greeting was told to nobody: only now somebody is known to be there.
      this.#post('rest', id, ...answers, ...this.#awareness())
    }
  }

  #take(message: Message, from: Tab): Message[] {
    switch (message.kind) {
      case 'summary': {
        const bytes = this.#host.diff(message.bytes)
        return isEmpty(bytes) ? [] : [{ kind: 'diff', bytes }]
      }
      case 'diff':
      case 'update':
        this.#host.applied(message.bytes, from)
        return []
      case 'awareness':
        this.#host.appliedAwareness(message.bytes, from)
        return []
    }
  }
}

/** Nothing where the browser keeps pages from each other, as in some frames of foreign sites. */
function channelOf(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name)
  } catch {
    return undefined
  }
}

/** An update of no changes and no deletions. */
function isEmpty(update: Uint8Array): boolean {
  return update.length === 2 && update[0] === 0 && update[1] === 0
}

function isEnvelope(value: unknown): value is Envelope {
  if (typeof value !== 'object' || value === null) return false
  const { kind, id, to, peerId, online, messages } = value as { [Field in keyof Envelope]?: unknown }
  return KINDS.has(kind) && typeof id === 'string' && (to === undefined || typeof to === 'string') &&
    (peerId === undefined || typeof peerId === 'string') && typeof online === 'boolean' &&
    Array.isArray(messages) && messages.every(message => message instanceof Uint8Array)
}
