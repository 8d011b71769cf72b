// Why two peers can or can't connect: what the module knows, and what only the browser can try.

import type { RawDiagnosis } from '../wasm/vivim_wasm.js'
import type { CompleteConfig } from './config.js'
import type { NodeCore } from './core.js'
import { hasWebRTC, hasWebSocket, isOnline, isSecure } from './platform.js'
import { callAsync } from './runtime.js'
import type { DoctorFinding, DoctorReport } from './types.js'

/** How long candidates are gathered: a STUN server that is there answers in a fraction of it. */
const GATHER_MS = 3_000

interface Candidates {
  host: boolean
  srflx: boolean
  relay: boolean
}

type Finding = (code: DoctorFinding['code'], severity: DoctorFinding['severity'], message: string, hint?: string) => void

export async function examine(core: NodeCore, config: CompleteConfig): Promise<DoctorReport> {
  const findings: DoctorFinding[] = []
  const find: Finding = (code, severity, message, hint = '') => void findings.push({ code, severity, message, hint })
  const [diagnosis, candidates] = await Promise.all([
    core.isWanted ? callAsync(() => core.raw.diagnose()).catch(() => undefined) : undefined,
    config.enableWebRTC && hasWebRTC() ? gather(config) : undefined,
  ])
  const blocked = blockedSockets(config)
  examinePlatform(find, config)
  if (blocked.length > 0) {
    find('WEBSOCKET_BLOCKED', 'error', `this page may not open WebSockets to ${blocked.join(', ')}`,
      "a page loaded over https needs /wss relay addresses; a content security policy must allow them in connect-src ('ws: wss:')")
  }
  if (diagnosis === undefined) {
    find('STOPPED', 'error', 'the node is not running', 'call start() and look again')
  } else {
    examineRelays(find, diagnosis)
    examinePeers(find, diagnosis, candidates)
  }
  if (candidates !== undefined) examineCandidates(find, candidates, config)
  return {
    ok: findings.every(finding => finding.severity !== 'error'),
    findings,
    relays: diagnosis?.relays ?? [],
    directPeers: diagnosis?.directPeers ?? 0,
    relayedPeers: diagnosis?.relayedPeers ?? 0,
    failedUpgrades: diagnosis?.failedUpgrades ?? 0,
    candidates,
  }
}

function examinePlatform(find: Finding, config: CompleteConfig): void {
  if (!isOnline()) find('OFFLINE', 'error', 'the browser says that there is no network', 'check the connection; VIVIM reconnects by itself')
  if (!isSecure()) {
    find('INSECURE_CONTEXT', 'warning', 'this page was not loaded over https', 'serve it over https; browsers withhold storage from it')
  }
  if (!hasWebSocket()) {
    find('WEBSOCKET_UNAVAILABLE', 'error', 'there is no WebSocket here, so relays cannot be reached', 'use Node 22 or later')
  }
  if (!config.enableWebRTC) {
    find('WEBRTC_DISABLED', 'warning', 'direct connections are switched off in this node', 'leave enableWebRTC on')
  } else if (!hasWebRTC()) {
    find('WEBRTC_UNAVAILABLE', 'warning', 'there is no WebRTC here: everything goes through the relay',
      'workers and Node have none; in a browser, look for a setting or an extension that blocks it')
  }
  if (config.bootstrapPeers.length === 0) {
    find('NO_RELAY_CONFIGURED', 'error', 'no relay is configured, so that nobody can be found', "give its address in bootstrapPeers; the relay prints it and serves it at /.well-known/vivim")
  }
}

function examineRelays(find: Finding, diagnosis: RawDiagnosis): void {
  for (const relay of diagnosis.relays) {
    const reason = relay.lastError === undefined ? '' : `: ${relay.lastError}`
    switch (relay.state) {
      case 'reserved':
        find('CONNECTED', 'info', `the relay ${relay.address} is connected and others can reach this node through it`)
        break
      case 'connected':
        find('RELAY_REFUSED', 'error', `the relay ${relay.address} is connected but gives no reservation${reason}`,
          'it may be full, or not serve as a relay; others cannot reach this node through it')
        break
      case 'connecting':
      case 'disconnected':
        find('RELAY_UNREACHABLE', 'error', `the relay ${relay.address} cannot be reached${reason}`,
          'check that it runs, that its address and peer id are the current ones, and that no firewall is between; it is tried again')
    }
  }
}

function examinePeers(find: Finding, diagnosis: RawDiagnosis, candidates: Candidates | undefined): void {
  if (diagnosis.directPeers > 0) {
    find('CONNECTED', 'info', `${count(diagnosis.directPeers, 'peer is', 'peers are')} connected directly`)
  }
  if (diagnosis.relayedPeers > 0) {
    const udp = candidates?.host === false || candidates === undefined
    find('RELAYED_ONLY', 'warning', `${count(diagnosis.relayedPeers, 'peer is', 'peers are')} reached through the relay only`,
      udp ? 'UDP seems to be blocked here; it works, but more slowly' : 'the other side may block UDP, or both sides may need a TURN server')
  }
  if (diagnosis.failedUpgrades > 0) {
    const reason = diagnosis.lastUpgradeError === undefined ? '' : `; the last: ${diagnosis.lastUpgradeError}`
    find('UPGRADES_FAILED', 'warning', `${count(diagnosis.failedUpgrades, 'attempt', 'attempts')} at a direct connection failed${reason}`,
      'the relayed connections are kept; a STUN or TURN server in iceServers often helps')
  }
}

function examineCandidates(find: Finding, candidates: Candidates, config: CompleteConfig): void {
  const hasStun = config.iceServers.some(server => server.urls.some(url => url.startsWith('stun')))
  if (!candidates.host && !candidates.srflx && !candidates.relay) {
    find('NO_CANDIDATES', 'warning', 'WebRTC finds no address of this device: UDP is blocked by the browser or its policy',
      'everything goes through the relay; look for a WebRTC setting, an extension or a VPN')
  } else if (hasStun && !candidates.srflx) {
    find('STUN_FAILED', 'warning', 'no STUN server answered: UDP to the internet seems to be blocked',
      'peers in other networks are reached through the relay; a TURN server in iceServers would help')
  } else if (!hasStun) {
    find('NO_STUN', 'info', 'no STUN server is configured', 'within one network none is needed; across networks give one in iceServers')
  }
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`
}

/** Relays that this page isn't allowed to connect to: insecure ones from a secure page. */
function blockedSockets(config: CompleteConfig): string[] {
  if (typeof location !== 'object' || location.protocol !== 'https:') return []
  return config.bootstrapPeers.filter(address =>
    /\/ws(\/|$)/.test(address) && !/\/tls\/ws(\/|$)/.test(address) && !/^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\/)/.test(address))
}

/** The kinds of addresses that WebRTC finds, with the node's own ICE servers. */
async function gather(config: CompleteConfig): Promise<Candidates> {
  const found: Candidates = { host: false, srflx: false, relay: false }
  let connection: RTCPeerConnection | undefined
  try {
    connection = new RTCPeerConnection({ iceServers: config.iceServers.map(iceServer) })
    const gathering = connection
    const done = new Promise<void>(resolve => {
      const timer = setTimeout(resolve, GATHER_MS)
      gathering.onicecandidate = ({ candidate }) => {
        if (candidate !== null && candidate.candidate !== '') {
          const { type } = candidate
          if (type === 'host' || type === 'srflx' || type === 'relay') found[type] = true
          return
        }
        clearTimeout(timer)
        resolve()
      }
    })
    connection.createDataChannel('')
    await connection.setLocalDescription()
    await done
  } catch {
    // A browser that lets nobody make one has found nothing, too.
  } finally {
    connection?.close()
  }
  return found
}

function iceServer({ urls, username, credential }: CompleteConfig['iceServers'][number]): RTCIceServer {
  return {
    urls,
    ...(username === undefined ? {} : { username }),
    ...(credential === undefined ? {} : { credential }),
  }
}
