/** Where the relay is: asked from the server the page came from, or given in the address. */

/** A relay the page can dial. */
export interface Relay {
  /** Multiaddrs a browser can dial from this page, the best first. */
  readonly addresses: readonly string[]
  /** Peer ids in those addresses. */
  readonly peerIds: readonly string[]
  /** For `RTCPeerConnection`. */
  readonly iceServers: readonly RTCIceServer[]
}

/** What came of looking for it. */
export type RelayLookup =
  | { readonly found: true; readonly relay: Relay }
  | { readonly found: false; readonly reason: 'unreachable' | 'missing' | 'unusable'; readonly detail: string }

/** The parts of a page's address that decide what can be dialled from it. */
export interface PageAddress {
  readonly hostname: string
  readonly protocol: string
}

const WELL_KNOWN = '/.well-known/vivim'

const RELAY_KEY = 'vivim.relay'

/** Milliseconds. A server that takes longer to name its relay counts as unreachable. */
const LOOKUP_TIMEOUT_MS = 8_000

/**
 * Finds the relay: `?relay=<multiaddr>` (repeatable) wins over what the page's server says. The first time its answer
 * may be the one that the HTML preloads; `again` is for whoever knows that what it said before doesn't help.
 */
export async function findRelay(page: Location, again = false): Promise<RelayLookup> {
  const given = new URLSearchParams(page.search).getAll('relay').filter((address) => address !== '')
  if (given.length > 0) return fromAnswer({ multiaddrs: given }, page, 'the address bar')

  let response: Response
  try {
    const cache = again ? 'no-store' : 'default'
    response = await fetch(WELL_KNOWN, { cache, signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) })
  } catch (error) {
    return { found: false, reason: 'unreachable', detail: message(error) }
  }
  if (!response.ok) {
    return { found: false, reason: 'missing', detail: `${page.host}${WELL_KNOWN} answered ${response.status}` }
  }
  let answer: unknown
  try {
    answer = await response.json()
  } catch {
    return { found: false, reason: 'missing', detail: `${page.host}${WELL_KNOWN} isn't a relay's answer` }
  }
  return fromAnswer(answer, page, page.host)
}

/**
 * The relay that this page used last, so that a page whose server is away can look for the relay all the same. Read
 * with the same mistrust as a server's answer.
 */
export function rememberedRelay(page: Location): Relay | undefined {
  try {
    const lookup = fromAnswer(JSON.parse(localStorage.getItem(RELAY_KEY) ?? 'null'), page, 'the last visit')
    return lookup.found ? lookup.relay : undefined
  } catch {
    return undefined // No storage, or nothing of ours in it.
  }
}

/** Keeps the relay for the next visit. */
export function rememberRelay({ addresses, iceServers }: Relay): void {
  try {
    const stun = iceServers.flatMap(({ urls }) => urls)
    localStorage.setItem(RELAY_KEY, JSON.stringify({ multiaddrs: addresses, stun }))
  } catch {
    // The next visit asks the server.
  }
}

/** Reads a relay's description of itself. Nothing in it is trusted to have the right shape. */
export function fromAnswer(answer: unknown, page: PageAddress, source: string): RelayLookup {
  const described = typeof answer === 'object' && answer !== null ? answer : {}
  const offered = strings('multiaddrs' in described ? described.multiaddrs : undefined)
  const addresses = dialable(offered, page)
  if (addresses.length === 0) {
    const detail =
      offered.length === 0
        ? `no addresses in the answer of ${source}`
        : `none of these can be used from ${page.protocol}//${page.hostname}: ${offered.join(', ')}`
    return { found: false, reason: 'unusable', detail }
  }
  const stun = strings('stun' in described ? described.stun : undefined).map((url) => localised(url, page.hostname))
  const peerIds = addresses.flatMap((address) => /\/p2p\/([^/]+)/.exec(address)?.[1] ?? [])
  return {
    found: true,
    relay: {
      addresses,
      peerIds: [...new Set(peerIds)],
      iceServers: stun.length > 0 ? [{ urls: stun }] : [],
    },
  }
}

/**
 * The addresses worth dialling from this page. A browser only speaks WebSocket to a relay, and only the secure kind
 * from a secure page. A relay that was started without an announced address says `127.0.0.1`, which is wrong for a
 * phone that loaded the page over the local network: the host that served the page is then tried in its place.
 */
export function dialable(offered: readonly string[], page: PageAddress): string[] {
  const pageIsLocal = isLoopback(page.hostname)
  const usable = offered.filter((address) => {
    const secure = /\/(wss|tls\/(sni\/[^/]+\/)?ws)(\/|$)/.test(address)
    if (secure) return true
    // Browsers allow plain WebSocket to loopback even from a secure page.
    return /\/ws(\/|$)/.test(address) && (page.protocol !== 'https:' || isLoopback(host(address) ?? ''))
  })
  const here = usable.filter((address) => host(address) === page.hostname)
  if (here.length > 0) return here
  if (pageIsLocal) return usable
  const elsewhere = usable.filter((address) => !isLoopback(host(address) ?? ''))
  if (elsewhere.length > 0) return elsewhere
  return page.protocol === 'https:' ? usable : usable.map((address) => withHost(address, page.hostname))
}

function host(address: string): string | undefined {
  return /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)/.exec(address)?.[1]
}

function withHost(address: string, hostname: string): string {
  const bare = hostname.replace(/^\[|\]$/g, '')
  const protocol = bare.includes(':') ? 'ip6' : /^\d+\.\d+\.\d+\.\d+$/.test(bare) ? 'ip4' : 'dns'
  return address.replace(/^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+/, `/${protocol}/${bare}`)
}

function localised(stun: string, hostname: string): string {
  const parts = /^(stuns?:)(\[[^\]]+\]|[^:?]+)(.*)$/.exec(stun)
  if (!parts || isLoopback(hostname) || !isLoopback(parts[2] ?? '')) return stun
  return `${parts[1]}${hostname}${parts[3]}`
}

function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || bare === '::1' || bare === '::' || bare === '0.0.0.0' || bare.startsWith('127.')
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
