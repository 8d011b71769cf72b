/** The network as a list: what the picture shows, in words and numbers. */

import { element, formatBytes, formatRtt, setText } from './dom.ts'
import type { PeerView } from './network.ts'

interface Row {
  readonly root: HTMLLIElement
  readonly dot: HTMLElement
  readonly name: HTMLElement
  readonly path: HTMLElement
  readonly rtt: HTMLElement
  readonly sent: HTMLElement
  readonly received: HTMLElement
}

/** See the module. */
export class PeerList {
  #root: HTMLUListElement
  #rows = new Map<string, Row>()

  constructor(root: HTMLUListElement) {
    this.#root = root
  }

  /** Shows these peers. */
  update(peers: readonly PeerView[]): void {
    const present = new Set(peers.map((peer) => peer.peerId))
    for (const [peerId, row] of this.#rows) {
      if (present.has(peerId)) continue
      row.root.remove()
      this.#rows.delete(peerId)
    }
    for (const peer of peers) {
      const row = this.#rows.get(peer.peerId) ?? this.#add(peer.peerId)
      show(row, peer)
    }
    this.#root.hidden = peers.length === 0
  }

  #add(peerId: string): Row {
    const row: Row = {
      root: element('li', { class: 'peer', 'data-testid': 'peer', 'data-peer-id': peerId, title: peerId }),
      dot: element('span', { class: 'peer-dot', 'aria-hidden': 'true' }),
      name: element('span', { class: 'peer-name' }),
      path: element('span', { class: 'peer-path' }),
      rtt: element('span', { class: 'peer-rtt', 'data-testid': 'peer-rtt' }),
      sent: element('span', { 'data-testid': 'peer-sent' }),
      received: element('span', { 'data-testid': 'peer-received' }),
    }
    const bytes = element('span', { class: 'peer-bytes' }, row.sent, ' ', row.received)
    row.root.append(row.dot, row.name, row.rtt, row.path, bytes)
    this.#rows.set(peerId, row)
    this.#root.append(row.root)
    return row
  }
}

function show(row: Row, peer: PeerView): void {
  row.root.dataset['transport'] = peer.transport
  row.root.dataset['direct'] = String(peer.path === 'direct')
  row.root.dataset['path'] = peer.path
  row.dot.style.background = peer.color
  setText(row.name, peer.name)
  setText(row.path, describePath(peer))
  setText(row.rtt, formatRtt(peer.rtt))
  setText(row.sent, `↑ ${formatBytes(peer.sent.total)}`)
  setText(row.received, `↓ ${formatBytes(peer.received.total)}`)
  row.sent.setAttribute('aria-label', `sent ${formatBytes(peer.sent.total)}`)
  row.received.setAttribute('aria-label', `received ${formatBytes(peer.received.total)}`)
}

function describePath(peer: PeerView): string {
  if (peer.path === 'none') return peer.received.total > 0 ? 'Out of reach' : 'Connecting'
  if (peer.path === 'relayed') return 'Through the relay'
  return peer.transport === 'webrtc' ? 'Direct, WebRTC' : `Direct, ${peer.transport}`
}
