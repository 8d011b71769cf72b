// A room in memory: what the WebAssembly module does for attached replicas, as far as the facade can tell. It drives
// the package's own Room, Place and VivimProvider.

import { NetworkNode } from '../dist/network-node.js'
import { Room } from '../dist/room.js'

/** The members of all rooms, and whether they are connected. */
export class Hub {
  members = new Set()

  node(peerId) {
    return fakeNode(this, peerId)
  }

  /** Every pair that has the document open exchanges what the other lacks. */
  meet(place) {
    for (const other of this.members) {
      if (other === place || other.docId !== place.docId || other.core === place.core) continue
      introduce(place, other)
      introduce(other, place)
    }
  }

  others(place) {
    return [...this.members].filter(other => other.docId === place.docId && other.core !== place.core)
  }
}

function introduce(to, from) {
  const summary = to.ask('summary', from)
  const diff = from.ask('diff', to, summary.bytes)
  if (summary.kind === 'closed' || diff.kind === 'closed') return
  to.ask('apply', from, diff.bytes)
  const awareness = from.ask('encodeAwareness', to).bytes
  if (awareness.length > 0) to.ask('applyAwareness', from, awareness)
  to.tell('doc:synced', from)
  from.reached()
}

/** One replica's side in the hub: the raw attachment of a Place. */
class FakeAttachment {
  constructor(core, docId) {
    this.core = core
    this.docId = docId
  }

  async open() {
    await turn()
    this.core.hub.members.add(this)
    this.core.log.push(`open ${this.docId}`)
    this.core.hub.meet(this)
  }

  async close() {
    await turn()
    this.core.log.push(`close ${this.docId}`)
    this.vanish()
  }

  forget() {}

  /** As when a connection breaks. */
  vanish() {
    this.core.hub.members.delete(this)
    for (const other of this.core.hub.others(this)) other.tell('doc:closed', this)
  }

  update(update) {
    this.core.sent.push(update)
    for (const other of this.core.hub.others(this)) other.ask('apply', this, update)
  }

  change(update, number) {
    this.latest = number
    this.update(update)
    this.reached()
  }

  noteChange(number) {
    this.latest = number
  }

  /** Everybody has everything, as acknowledgements would tell. */
  reached() {
    const { latest = 0 } = this
    for (const other of this.core.hub.others(this)) this.tell('doc:reached', other, { change: latest, stored: false })
  }

  awareness(update) {
    for (const other of this.core.hub.others(this)) other.ask('applyAwareness', this, update)
  }

  ask(op, from, bytes) {
    // Detached already, though the hub hasn't heard of it yet.
    const place = this.core.places.get(this.docId) ?? { answer: () => ({ kind: 'closed', bytes: new Uint8Array() }) }
    return place.answer({ type: 'replica', docId: this.docId, peerId: from.core.peerId, call: 0, op, bytes })
  }

  tell(type, from, detail = {}) {
    this.core.places.get(this.docId)?.dispatch({ type, docId: this.docId, peerId: from.core.peerId, ...detail })
  }
}

class FakeRawRoom {
  constructor(core, name) {
    this.core = core
    this.id = `id of ${name}`
    this.name = name
  }

  async join() {
    await turn()
    this.core.log.push(`join ${this.name}`)
  }

  async leave() {
    await turn()
    this.core.log.push(`leave ${this.name}`)
  }

  peers() {
    return [...new Set([...this.core.hub.members].map(member => member.core.peerId))]
      .filter(peerId => peerId !== this.core.peerId)
      .map(peerId => ({ peerId, connected: true, direct: false }))
  }

  attachment(name) {
    return (this.core.attachment = new FakeAttachment(this.core, `${this.id}/${name}`))
  }

  free() {}
}

class FakeCore {
  places = new Map()
  rooms = new Map()
  log = []
  sent = []
  status = 'online'

  constructor(hub, peerId) {
    this.hub = hub
    this.peerId = peerId
  }

  fail(error) {
    this.log.push(`failed: ${error.code}`)
  }
}

/** A NetworkNode without a network: an object of its class that has none of its insides. */
function fakeNode(hub, peerId) {
  const core = new FakeCore(hub, peerId)
  const startHandlers = new Set()
  let running = true
  const own = {
    core,
    getPeerId: () => peerId,
    on(event, handler) {
      if (event === 'started') startHandlers.add(handler)
      return () => startHandlers.delete(handler)
    },
    async useRoom(name) {
      const known = core.rooms.get(`id of ${name}`)
      const room = known ?? Room.create(core, new FakeRawRoom(core, name), name)
      core.rooms.set(room.id, room)
      await (known === undefined ? room.join() : known.whenJoined)
      room.use()
      return room
    },
    async joinRoom(name) {
      return (await this.useRoom(name)).keep()
    },
    stop() {
      running = false
      for (const room of core.rooms.values()) room.end()
      core.rooms.clear()
      core.places.clear()
      for (const member of [...hub.members]) if (member.core === core) member.vanish()
    },
    start() {
      running = true
      for (const handler of startHandlers) handler()
    },
  }
  const node = Object.create(NetworkNode.prototype, Object.getOwnPropertyDescriptors(own))
  return Object.defineProperty(node, 'started', { get: () => running })
}

/** Lets everything that waits for a promise go on. */
export function turn() {
  return new Promise(resolve => setImmediate(resolve))
}

/** Waits for something that events bring about. */
export async function until(what, look) {
  for (let turns = 0; turns < 1_000; turns += 1) {
    if (look()) return
    await turn()
  }
  throw new Error(`never happened: ${what}`)
}
