// What browsers, workers and Node differ in. Everything is looked up when it's needed, never at
// import: the package must load during server-side rendering.

import type { Warning } from './types.js'

/** Where the device's id is kept. */
const DEVICE_ID_KEY = 'vivim:deviceId'
/** Bytes of a device's id. */
const DEVICE_ID_BYTES = 16
/** A page hidden for longer than this may have slept, and its connections with it. */
const SLEEP_MS = 30_000

export const hasWebRTC = (): boolean => typeof RTCPeerConnection === 'function'
export const hasWebSocket = (): boolean => typeof WebSocket === 'function'
export const isOnline = (): boolean => typeof navigator !== 'object' || navigator.onLine !== false
/** True where the question makes no sense, as in Node. */
export const isSecure = (): boolean => typeof isSecureContext !== 'boolean' || isSecureContext

const isPage = (): boolean => typeof window === 'object' && typeof document === 'object'

export function hasIndexedDB(): boolean {
  try {
    return typeof indexedDB === 'object' && indexedDB !== null
  } catch {
    // Some private modes refuse even the question.
    return false
  }
}

/** The profile's id, from the browser's storage. */
export function deviceId(): { id: Uint8Array; stored: boolean } {
  const fresh = crypto.getRandomValues(new Uint8Array(DEVICE_ID_BYTES))
  try {
    const known = parseHex(localStorage.getItem(DEVICE_ID_KEY) ?? '')
    if (known !== undefined) return { id: known, stored: true }
    localStorage.setItem(DEVICE_ID_KEY, toHex(fresh))
    return { id: fresh, stored: true }
  } catch {
    // No storage in Node, in workers and in some private modes.
    return { id: fresh, stored: false }
  }
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function parseHex(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]+$/.test(text) || text.length !== 2 * DEVICE_ID_BYTES) return undefined
  return Uint8Array.from({ length: DEVICE_ID_BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/** What isn't available here; the rest works without it. */
export function missing(wanted: { webrtc: boolean; stored: boolean }): Warning[] {
  const warnings: Warning[] = []
  if (!isSecure()) {
    warnings.push({
      code: 'INSECURE_CONTEXT',
      message: 'this page was not loaded over https: the browser withholds cryptographic storage and persistent storage; ' +
        'connections and documents work',
    })
  }
  if (isPage() && !wanted.stored) {
    warnings.push({
      code: 'STORAGE_UNAVAILABLE',
      message: 'the browser does not let this page store anything (a private window?): this device gets a new id on every visit',
    })
  }
  if (wanted.webrtc && !hasWebRTC()) {
    warnings.push({
      code: 'WEBRTC_UNAVAILABLE',
      message: 'there is no WebRTC here (a worker, Node, or a hardened browser): connections go through the relay',
    })
  }
  if (!hasWebSocket()) {
    warnings.push({
      code: 'WEBSOCKET_UNAVAILABLE',
      message: 'there is no global WebSocket here (Node has one from version 22 on): documents work, connections do not',
    })
  }
  return warnings
}

/** What the page's life tells a node. */
export interface Lifecycle {
  networkChanged(online: boolean): void
  /** The page goes away; others should see it at once. */
  suspend(): void
  /** The page came back from the back/forward cache. */
  resume(): void
}

/** Listens to the page's life; gives the function that stops listening. */
export function watch(node: Lifecycle): () => void {
  if (typeof addEventListener !== 'function') return () => {}
  const abort = new AbortController()
  const options = { signal: abort.signal }
  addEventListener('online', () => node.networkChanged(true), options)
  addEventListener('offline', () => node.networkChanged(false), options)
  if (isPage()) {
    let hiddenAt: number | undefined
    addEventListener('pagehide', () => node.suspend(), options)
    addEventListener('pageshow', event => {
      if (event.persisted) node.resume()
    }, options)
    document.addEventListener('resume', () => node.networkChanged(true), options)
    document.addEventListener('visibilitychange', () => {
      const slept = hiddenAt !== undefined && Date.now() - hiddenAt > SLEEP_MS
      hiddenAt = document.visibilityState === 'hidden' ? Date.now() : undefined
      if (slept && hiddenAt === undefined) node.networkChanged(true)
    }, options)
  }
  return () => abort.abort()
}
