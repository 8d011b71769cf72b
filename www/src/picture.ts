/**
 * The network as a small live picture: the writer, the relay above, everybody else around. A solid line is a direct
 * connection; a dashed one goes through the relay, as the data does. Dots run along the lines when data flows.
 *
 * For assistive technology it is one image with a sentence; the list beside it has everything the picture has.
 */

import { formatRtt, svg } from './dom.ts'
import type { NetworkView, Path, PeerView } from './network.ts'
import { initials } from './profile.ts'
import type { Profile } from './profile.ts'

const WIDTH = 320
const RELAY: Point = { x: WIDTH / 2, y: 26 }

/** The picture has room for this many others; the list has everybody. */
const MOST_SHOWN = 8

/** Above this there is no room for names and round-trip times beside the circles. */
const MOST_LABELLED = 5

/** Milliseconds a dot takes from one end to the other. */
const PULSE_MS = 700

/** Dots on one line at a time. More would look like a solid line and say nothing. */
const MOST_PULSES = 3

interface Point {
  readonly x: number
  readonly y: number
}

interface Traffic {
  sent: number
  received: number
  running: number
}

/** See the module. */
export class Picture {
  #root: SVGSVGElement
  #scene = svg('g')
  #pulses = svg('g', { class: 'pulses' })
  #nodes = svg('g')
  #key = ''
  #known = new Set<string>()
  #routes = new Map<string, SVGPathElement>()
  #labels = new Map<string, SVGTextElement>()
  #traffic = new Map<string, Traffic>()
  #still = matchMedia('(prefers-reduced-motion: reduce)')

  constructor(root: SVGSVGElement) {
    this.#root = root
    root.replaceChildren(this.#scene, this.#pulses, this.#nodes)
  }

  /** Shows this network. */
  update(view: NetworkView, me: Profile): void {
    // Whoever is relayed stands next to the relay, so that lines don't cross.
    const shown = view.peers.slice(0, MOST_SHOWN).sort((a, b) => rank(a.path) - rank(b.path))
    const key = JSON.stringify([
      me,
      view.relay.connected,
      view.unreachable,
      view.phase,
      view.peers.length,
      shown.map((peer) => [peer.peerId, peer.path, peer.name, peer.color]),
    ])
    if (key !== this.#key) {
      this.#key = key
      this.#draw(view, shown, me)
    }
    for (const peer of shown) {
      const label = this.#labels.get(peer.peerId)
      if (label !== undefined) label.textContent = formatRtt(peer.rtt)
      this.#flow(peer)
    }
    const relayLabel = this.#labels.get('relay')
    if (relayLabel !== undefined) relayLabel.textContent = relayText(view)
    this.#root.setAttribute('aria-label', sentence(view))
  }

  #draw(view: NetworkView, shown: readonly PeerView[], me: Profile): void {
    this.#routes.clear()
    this.#labels.clear()
    this.#scene.replaceChildren()
    this.#nodes.replaceChildren()
    const { center, places, height } = layout(shown.length)
    this.#root.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`)
    const labelled = shown.length <= MOST_LABELLED

    const anyRelayed = shown.some((peer) => peer.path === 'relayed')
    const up = svg('path', {
      d: line(center, RELAY),
      class: `line ${!view.relay.connected ? 'line-none' : anyRelayed ? 'line-relayed' : 'line-control'}`,
    })
    up.style.setProperty('--c', me.color)
    this.#scene.append(up)
    shown.forEach((peer, index) => {
      const place = places[index] ?? center
      this.#drawPeer(peer, place, center, labelled)
    })
    if (shown.length === 0) {
      const place = places[0] ?? center
      this.#scene.append(svg('path', { d: line(center, place), class: 'line line-none' }))
      this.#nodes.append(
        svg('circle', { cx: place.x, cy: place.y, r: 17, class: 'ghost' }),
        svg('path', { d: `M${place.x - 6} ${place.y}h12M${place.x} ${place.y - 6}v12`, class: 'ghost-plus' }),
      )
    }
    if (view.peers.length > shown.length) {
      this.#nodes.append(
        text(WIDTH - 8, height - 6, `and ${view.peers.length - shown.length} more`, 'label', 'end'),
      )
    }
    this.#drawRelay(view)
    this.#nodes.append(person(center, me.color, 'You', 21))
    this.#known = new Set(shown.map((peer) => peer.peerId))
    for (const peerId of this.#traffic.keys()) if (!this.#known.has(peerId)) this.#traffic.delete(peerId)
  }

  #drawPeer(peer: PeerView, place: Point, center: Point, labelled: boolean): void {
    const arrival = this.#known.has(peer.peerId) ? '' : ' enter'
    const route = peer.path === 'relayed' ? `${line(center, RELAY)} ${bend(place, center)}` : line(center, place)
    const visible = peer.path === 'relayed' ? `M${RELAY.x} ${RELAY.y} ${bend(place, center)}` : route
    const drawn = svg('path', { d: visible, class: `line line-${peer.path}${arrival}` })
    drawn.style.setProperty('--c', peer.color)
    const guide = svg('path', { d: route, class: 'guide' })
    this.#routes.set(peer.peerId, guide)
    const middle = drawn.getPointAtLength(drawn.getTotalLength() * (peer.path === 'relayed' ? 0.55 : 0.5))
    const rtt = text(middle.x, middle.y + 3.5, '', 'label label-rtt')
    this.#labels.set(peer.peerId, rtt)
    this.#scene.append(guide, drawn)
    const node = person(place, peer.color, initials(peer.name), 17)
    node.setAttribute('class', `person${arrival}${peer.path === 'none' ? ' waiting' : ''}`)
    this.#nodes.append(node)
    if (labelled) this.#nodes.append(rtt, text(place.x, place.y + 31, short(peer.name), 'label'))
  }

  #drawRelay(view: NetworkView): void {
    const lost = !view.relay.connected
    const label = text(RELAY.x + 20, RELAY.y + 4, relayText(view), `label${lost ? ' label-lost' : ''}`, 'start')
    this.#labels.set('relay', label)
    this.#nodes.append(
      svg('rect', {
        x: RELAY.x - 12,
        y: RELAY.y - 12,
        width: 24,
        height: 24,
        rx: 6,
        class: lost ? 'relay relay-lost' : 'relay',
      }),
      lost
        ? svg('path', { d: `M${RELAY.x - 4} ${RELAY.y - 4}l8 8m0-8l-8 8`, class: 'relay-mark relay-mark-lost' })
        : svg('path', {
            d: `M${RELAY.x - 5} ${RELAY.y - 2.5}h10m-3-3l3 3M${RELAY.x + 5} ${RELAY.y + 3}h-10m3 3l-3-3`,
            class: 'relay-mark',
          }),
      label,
    )
  }

  /** Sends dots along a line for what was sent and received since the last look. */
  #flow(peer: PeerView): void {
    const last = this.#traffic.get(peer.peerId)
    const traffic = last ?? { sent: peer.sent.total, received: peer.received.total, running: 0 }
    this.#traffic.set(peer.peerId, traffic)
    const sent = peer.sent.total - traffic.sent
    const received = peer.received.total - traffic.received
    traffic.sent = peer.sent.total
    traffic.received = peer.received.total
    const route = this.#routes.get(peer.peerId)
    if (route === undefined || peer.path === 'none' || this.#still.matches || document.hidden) return
    if (sent > 0) this.#pulse(route, peer.color, sent, traffic, false)
    if (received > 0) this.#pulse(route, peer.color, received, traffic, true)
  }

  #pulse(route: SVGPathElement, color: string, bytes: number, traffic: Traffic, inward: boolean): void {
    if (traffic.running >= MOST_PULSES) return
    traffic.running += 1
    const radius = Math.min(2 + Math.log10(bytes) * 0.6, 5)
    const dot = svg('circle', { r: radius, class: 'pulse' })
    dot.style.setProperty('--c', color)
    this.#pulses.append(dot)
    const length = route.getTotalLength()
    const begin = performance.now()
    const step = (now: number): void => {
      const progress = Math.min(Math.max((now - begin) / PULSE_MS, 0), 1)
      const eased = progress * progress * (3 - 2 * progress)
      const at = route.getPointAtLength(length * (inward ? 1 - eased : eased))
      dot.setAttribute('cx', String(at.x))
      dot.setAttribute('cy', String(at.y))
      if (progress < 1 && route.isConnected) {
        requestAnimationFrame(step)
      } else {
        dot.remove()
        traffic.running -= 1
      }
    }
    requestAnimationFrame(step)
  }
}

/** One other makes a triangle with the relay; several stand around the writer, the highest place first. */
function layout(count: number): { center: Point; places: Point[]; height: number } {
  if (count <= 1) return { center: { x: 62, y: 132 }, places: [{ x: 258, y: 132 }], height: 184 }
  const center = { x: WIDTH / 2, y: 122 }
  const [from, to] = count === 2 ? [24, 156] : count < 5 ? [-16, 196] : [-30, 210]
  const places = Array.from({ length: count }, (_, index) => {
    const angle = ((from + ((to - from) * index) / (count - 1)) * Math.PI) / 180
    return { x: center.x + 122 * Math.cos(angle), y: center.y + 78 * Math.sin(angle) }
  })
  return { center, places: places.sort((a, b) => a.y - b.y || b.x - a.x), height: count === 2 ? 200 : 240 }
}

function rank(path: Path): number {
  return { relayed: 0, direct: 1, none: 2 }[path]
}

function line(from: Point, to: Point): string {
  return `M${from.x} ${from.y} L${to.x} ${to.y}`
}

/** From the relay to a peer, around the writer when the writer stands between them. */
function bend(to: Point, around: Point): string {
  const behind = to.y > around.y && Math.abs(to.x - around.x) < 80
  if (!behind) return `L${to.x} ${to.y}`
  const side = to.x >= around.x ? 1 : -1
  return `Q${around.x + side * 120} ${around.y} ${to.x} ${to.y}`
}

function person(at: Point, color: string, inside: string, radius: number): SVGGElement {
  const letters = text(at.x, at.y + 4, inside, 'letters')
  const disc = svg('circle', { cx: at.x, cy: at.y, r: radius, class: 'disc' })
  disc.style.fill = color
  return svg('g', { class: 'person' }, disc, letters)
}

function text(x: number, y: number, content: string, kind: string, anchor = 'middle'): SVGTextElement {
  return svg('text', { x, y, class: kind, 'text-anchor': anchor }, content)
}

function relayText(view: NetworkView): string {
  if (view.relay.connected) return ['Relay', formatRtt(view.relay.rtt)].filter((part) => part !== '').join(' · ')
  return view.phase === 'no-relay' || view.unreachable ? 'No relay' : 'Relay …'
}

function short(name: string): string {
  const letters = Array.from(name)
  return letters.length > 14 ? `${letters.slice(0, 13).join('')}…` : name
}

function sentence(view: NetworkView): string {
  const relay = view.relay.connected ? 'Connected to the relay.' : 'Not connected to the relay.'
  if (view.peers.length === 0) return `Network: nobody else here. ${relay}`
  const peers = view.peers.map((peer) => {
    const path = { direct: 'directly', relayed: 'through the relay', none: 'not yet connected' }[peer.path]
    return `${peer.name} ${path}`
  })
  return `Network: ${peers.join(', ')}. ${relay}`
}
