// Five replicas of one document, some in Rust and some npm Yjs, that edit, go offline, and hear of each other late, in
// any order and more than once: everything that a schedule does follows from its seed, but for the client ids, which
// the replicas in Rust choose themselves.

import * as Y from 'yjs'

export const REPLICAS = 5
const STEPS = 100

/** Text with one, two, three and four bytes per character in UTF-8, and pairs in UTF-16. */
const WORDS = ['a', 'word ', 'ünïcode ', '漢字', '🎉', '👩‍👩‍👧', '\n', 'e\u0301']

/** What an update came from that this side sent on already. */
const REMOTE = 'schedule'

/** A small generator with a seed (mulberry32). @param {number} seed */
export function random(seed) {
  let state = seed
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** @typedef {(below: number) => number} Random */
/** @typedef {ReturnType<typeof yjsReplica>} Replica */

/**
 * @param {Uint8Array} vector
 * @returns {{ [client: string]: number }}
 */
export const clocks = (vector) =>
  Object.fromEntries([...Y.decodeStateVector(vector)].map(([client, clock]) => [`${client}`, clock]))

/**
 * What is deleted. Neither encoding orders its clients, and ranges may be in pieces.
 * @param {Uint8Array} update
 */
export function deletions(update) {
  const clients = [...Y.decodeUpdate(update).ds.clients].filter(([, ranges]) => ranges.length > 0)
  return Object.fromEntries(
    clients.map(([client, ranges]) => {
      /** @type {[number, number][]} */
      const merged = []
      for (const { clock, len } of [...ranges].sort((a, b) => a.clock - b.clock)) {
        const last = merged.at(-1)
        if (last && last[0] + last[1] >= clock) last[1] = Math.max(last[1], clock + len - last[0])
        else merged.push([clock, len])
      }
      return [`${client}`, merged]
    }),
  )
}

/** @param {number} clientId */
export function yjsReplica(clientId) {
  const doc = new Y.Doc()
  doc.clientID = clientId
  /** @type {Uint8Array[]} */
  const updates = []
  doc.on('update', (update, origin) => {
    if (origin !== REMOTE) updates.push(update)
  })
  const roots = {
    text: doc.getText('text'),
    map: doc.getMap('map'),
    list: doc.getArray('list'),
    rich: doc.getText('rich'),
    xml: doc.getXmlFragment('xml'),
  }
  return {
    kind: 'yjs',
    roots: /** @type {any} */ (roots),
    taken: async () => updates.splice(0),
    apply: async (/** @type {Uint8Array} */ update) => Y.applyUpdate(doc, update, REMOTE),
    vector: () => Y.encodeStateVector(doc),
    /** @param {Uint8Array} [vector] */
    state: (vector) => Y.encodeStateAsUpdate(doc, vector),
    close: async () => doc.destroy(),
    content: () => contentOf(roots),
    nest: {
      map: () => new Y.Map(),
      list: () => new Y.Array(),
      text: (/** @type {string} */ initial) => new Y.Text(initial),
    },
    change: (/** @type {() => void} */ f) => doc.transact(f),
  }
}

/** What was changed in one turn leaves at its end. */
const endOfTurn = () => new Promise((resolve) => setImmediate(resolve))

/**
 * A document of the package, which no network reaches.
 * @param {any} document
 * @returns {Replica}
 */
export function rustReplica(document) {
  /** @type {Uint8Array[]} */
  const updates = []
  document.on('update', (/** @type {{ update: Uint8Array, local: boolean }} */ { update, local }) => {
    if (local) updates.push(update)
  })
  const roots = {
    text: document.text('text'),
    map: document.map('map'),
    list: document.array('list'),
    rich: document.text('rich'),
    xml: document.xml('xml'),
  }
  return {
    kind: 'rust',
    roots,
    taken: async () => {
      await endOfTurn()
      return updates.splice(0)
    },
    // A document sends on what it was given; here everybody is told by the schedule.
    apply: async (update) => {
      document.applyUpdate(update)
      await endOfTurn()
      updates.length = 0
    },
    vector: () => document.encodeStateVector(),
    state: (vector) => document.encodeStateAsUpdate(vector),
    close: () => document.close(),
    content: () => contentOf(roots),
    nest: /** @type {any} */ (undefined),
    change: (f) => document.change(f),
  }
}

/**
 * All that a person could see, in one form for both kinds.
 * @param {any} roots
 */
function contentOf({ text, map, list, rich, xml }) {
  return {
    text: text.toString(),
    map: map.toJSON(),
    list: list.toJSON(),
    rich: plainDelta(rich.toDelta()),
    xml: xml.toString(),
  }
}

/**
 * A delta with neighbours of equal formats joined: where the pieces end is nobody's business.
 * @param {any[]} delta
 */
function plainDelta(delta) {
  /** @type {any[]} */
  const joined = []
  for (const { insert, attributes = {} } of delta) {
    const format = JSON.stringify(Object.entries(attributes).sort())
    const last = joined.at(-1)
    if (last && typeof insert === 'string' && typeof last.insert === 'string' && last.format === format) {
      last.insert += insert
    } else joined.push({ insert, format })
  }
  return joined
}

/**
 * A place between two UTF-16 code units that is not inside a surrogate pair.
 * @param {string} text
 * @param {number} at
 */
function boundary(text, at) {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at
}

/** @param {Random} next */
function value(next) {
  switch (next(5)) {
    case 0:
      return { nested: [next(10), 'x', null, true] }
    case 1:
      return [next(10), { deep: ['ü', 2.5] }]
    case 2:
      return WORDS[next(WORDS.length)]
    case 3:
      return Boolean(next(2))
    default:
      return next(1000)
  }
}

/** @param {Random} next @param {any} text */
function changeText(next, text) {
  const now = text.toString()
  if (next(10) < 7 || now.length === 0) {
    text.insert(boundary(now, next(now.length + 1)), WORDS[next(WORDS.length)])
    return
  }
  const from = boundary(now, next(now.length))
  const to = boundary(now, Math.min(now.length, from + 1 + next(8)))
  if (to > from) text.delete(from, to - from)
}

/** @param {Random} next @param {Replica} replica @param {any} map */
function changeMap(next, { nest }, map) {
  const key = `key${next(4)}`
  switch (next(8)) {
    case 0:
      map.delete(key)
      break
    case 1:
      if (nest) map.set(key, nest.map())
      else map.setMap(key)
      break
    case 2:
      if (nest) map.set(key, nest.list())
      else map.setArray(key)
      break
    case 3:
      if (nest) map.set(key, nest.text('nested'))
      else map.setText(key, 'nested')
      break
    default:
      map.set(key, value(next))
  }
}

/** @param {Random} next @param {Replica} replica @param {any} list */
function changeList(next, { nest }, list) {
  const at = next(list.length + 1)
  switch (next(8)) {
    case 0:
    case 1:
      if (list.length > 0) {
        const from = next(list.length)
        list.delete(from, 1 + next(Math.min(3, list.length - from)))
      }
      break
    case 2:
      if (nest) list.insert(at, [nest.map()])
      else list.insertMap(at)
      break
    case 3:
      if (nest) list.insert(at, [nest.text('item')])
      else list.insertText(at, 'item')
      break
    default:
      list.insert(at, [value(next), value(next)].slice(next(2)))
  }
}

/** @param {Random} next @param {any} rich */
function changeRich(next, rich) {
  const now = textOf(rich)
  const formats = [{ bold: true }, { bold: null }, { italic: true }, { link: 'https://x.test' }, { link: null }]
  const action = next(10)
  const from = boundary(now, next(now.length + 1))
  const to = boundary(now, Math.min(now.length, from + 1 + next(8)))
  if (action < 4 || to <= from) rich.insert(from, WORDS[next(WORDS.length)])
  else if (action < 7) rich.format(from, to - from, formats[next(formats.length)])
  else if (action < 8) rich.insertEmbed(from, { image: `${next(100)}.png` })
  else if (action < 9) rich.insert(from, 'formatted', formats[2 * next(2)])
  else rich.delete(from, to - from)
}

/** The text of a rich one, an embed as one unit. @param {any} rich */
const textOf = (rich) =>
  rich.toDelta().map((/** @type {any} */ { insert }) => (typeof insert === 'string' ? insert : '\ufffc')).join('')

/** @param {Random} next @param {Replica} replica @param {any} xml */
function changeXml(next, { nest }, xml) {
  const at = next(xml.length + 1)
  const tag = ['p', 'h1', 'li'][next(3)]
  const action = next(8)
  const children = xml.length > 0 ? childrenOf(xml) : []
  const child = children[next(children.length || 1)]
  if (action < 3 || !child) {
    if (!nest) xml.insertElement(at, tag, { class: 'made' })
    else {
      const element = new Y.XmlElement(tag)
      element.setAttribute('class', 'made')
      xml.insert(at, [element])
    }
  } else if (action < 4) {
    if (!nest) xml.insertText(at, 'text')
    else xml.insert(at, [new Y.XmlText('text')])
  } else if (action < 5) xml.delete(next(xml.length), 1)
  else if (typeof child.setAttribute === 'function' && typeof child.insertEmbed !== 'function') {
    if (action < 7) child.setAttribute(`data-${next(3)}`, `${next(100)}`)
    else changeXml(next, /** @type {any} */ ({ nest }), child)
  } else changeText(next, child)
}

/** @param {any} xml @returns {any[]} */
const childrenOf = (xml) => (typeof xml.toArray === 'function' ? xml.toArray() : xml.slice())

/** A nested type somewhere below, if there is one. @param {Random} next @param {any} container */
function nested(next, container) {
  const values = typeof container.keys === 'function' && typeof container.push !== 'function'
    ? [...container.keys()].sort().map((key) => container.get(key))
    : Array.from({ length: container.length }, (_, at) => container.at?.(at) ?? container.get?.(at))
  const types = values.filter((entry) => entry && typeof entry === 'object' && typeof entry.toJSON === 'function')
  return types[next(types.length || 1)]
}

/** One random change. @param {Random} next @param {Replica} replica */
export function change(next, replica) {
  const { text, map, list, rich, xml } = replica.roots
  const inside = (/** @type {any} */ found) => {
    if (!found) return
    if (typeof found.setMap === 'function' || found instanceof Y.Map) changeMap(next, replica, found)
    else if (typeof found.insertMap === 'function' || found instanceof Y.Array) changeList(next, replica, found)
    else changeText(next, found)
  }
  const action = next(16)
  if (action < 6) changeText(next, text)
  else if (action < 8) changeMap(next, replica, map)
  else if (action < 10) changeList(next, replica, list)
  else if (action < 12) changeRich(next, rich)
  else if (action < 13) changeXml(next, replica, xml)
  else if (action < 14) inside(nested(next, map))
  else if (action < 15) inside(nested(next, list))
  else replica.change(() => [text, map].forEach((root) => (root === text ? changeText(next, text) : changeMap(next, replica, map))))
}

/**
 * Runs a schedule to its end, where all have heard of everything.
 * @param {Random} next
 * @param {Replica[]} replicas
 * @param {boolean} lossy whether updates may be lost; what is missing is asked for at the end
 */
export async function run(next, replicas, lossy) {
  const online = replicas.map(() => true)
  /** @type {Uint8Array[][]} what a replica wrote offline */
  const kept = replicas.map(() => [])
  /** @type {{ to: number, update: Uint8Array }[]} */
  const flying = []
  const send = (/** @type {number} */ from, /** @type {Uint8Array[]} */ updates) => {
    for (const update of updates) {
      if (!online[from]) kept[from].push(update)
      else replicas.forEach((_, to) => to !== from && flying.push({ to, update }))
    }
  }
  const publish = async (/** @type {number} */ from) => send(from, await replicas[from].taken())
  const deliver = async (/** @type {number} */ at) => {
    const [{ to, update }] = flying.splice(at, 1)
    // One in eight comes again, and again.
    if (next(8) === 0) flying.push({ to, update })
    if (lossy && next(10) === 0) return
    await replicas[to].apply(update)
    await publish(to)
  }
  for (let step = 0; step < STEPS; step++) {
    const who = next(replicas.length)
    const action = next(10)
    if (action < 5) {
      change(next, replicas[who])
      await publish(who)
    } else if (action < 9) {
      const ready = flying.flatMap(({ to }, at) => (online[to] ? [at] : []))
      if (ready.length > 0) await deliver(ready[next(ready.length)])
    } else {
      online[who] = !online[who]
      if (online[who]) send(who, kept[who].splice(0))
    }
  }
  replicas.forEach((_, who) => {
    online[who] = true
    send(who, kept[who].splice(0))
  })
  while (flying.length > 0) await deliver(next(flying.length))
  await exchange(replicas)
}

/**
 * Everybody asks everybody for what they lack, twice: Yjs tidies formats after it has heard of something, which others
 * must hear of.
 * @param {Replica[]} replicas
 */
async function exchange(replicas) {
  for (const asks of [...replicas, ...replicas]) {
    for (const answers of replicas) {
      if (answers !== asks) await asks.apply(answers.state(asks.vector()))
    }
    await asks.taken()
  }
}
