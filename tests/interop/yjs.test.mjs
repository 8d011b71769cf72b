// A Yjs Y.Doc and a Yrs document that exchange updates end equal: their JSON, and, decoded because neither encoding
// orders its clients, their state vectors and delete sets.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import * as Y from 'yjs'
import { ask, startPeer } from '../lib/api-page.mjs'
import { serveVivim, unpackedPackage } from '../lib/build.mjs'
import { newRoom } from '../lib/demo-page.mjs'
import { scenario } from '../lib/scope.mjs'
import { until } from '../lib/wait.mjs'

const SEEDS = 12
const STEPS = 120

/** Text with one, two, three and four bytes per character in UTF-8, and pairs in UTF-16. */
const WORDS = ['a', 'word ', 'ünïcode ', '漢字', '🎉', '👩‍👩‍👧', '\n', 'e\u0301']

/** A small generator with a seed (mulberry32): a failing run can be repeated. @param {number} seed */
function random(seed) {
  let state = seed
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** @param {Uint8Array} vector */
const clocks = (vector) => Object.fromEntries([...Y.decodeStateVector(vector)].map(([client, clock]) => [`${client}`, clock]))

/** @param {Uint8Array} update */
const deletions = (update) =>
  Object.fromEntries(
    [...Y.decodeUpdate(update).ds.clients]
      .filter(([, items]) => items.length > 0)
      .map(([client, items]) => [`${client}`, items.map(({ clock, len }) => [clock, len])]),
  )

/**
 * A place between two UTF-16 code units that is not inside a surrogate pair.
 * @param {string} text
 * @param {number} at
 */
function boundary(text, at) {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at
}

/**
 * One random change through the interface that both kinds of document have.
 * @param {(below: number) => number} next
 * @param {any} text
 * @param {any} map
 */
function change(next, text, map) {
  const now = text.toString()
  const action = next(10)
  if (action < 6 || now.length === 0) {
    text.insert(boundary(now, next(now.length + 1)), WORDS[next(WORDS.length)])
  } else if (action < 8) {
    const from = boundary(now, next(now.length))
    const to = boundary(now, Math.min(now.length, from + 1 + next(8)))
    if (to > from) text.delete(from, to - from)
  } else if (action === 8) map.set(`key${next(4)}`, next(2) ? next(1000) : { nested: [next(10), 'x', null, true] })
  else map.delete(`key${next(4)}`)
}

/** A document in Rust, under Node, without any network. @param {string} room */
async function yrsDocument(room) {
  const { dir } = unpackedPackage()
  const { default: init, NetworkNode } = await import(pathToFileURL(join(dir, 'dist/node.js')).href)
  await init()
  const node = new NetworkNode({})
  await node.start()
  return { node, document: (await node.joinRoom(room)).document() }
}

/** @param {Y.Doc} ydoc @param {any} document */
function assertEqual(ydoc, document) {
  const text = ydoc.getText('text').toString()
  assert.equal(document.text('text').toString(), text)
  assert.deepEqual(document.map('map').toJSON(), ydoc.getMap('map').toJSON())
  assert.deepEqual(clocks(document.encodeStateVector()), clocks(Y.encodeStateVector(ydoc)))
  assert.deepEqual(deletions(document.encodeStateAsUpdate()), deletions(Y.encodeStateAsUpdate(ydoc)))
}

test('random edits of a Y.Doc and a Yrs document, exchanged as updates in both directions, end equal', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { node, document } = await yrsDocument(`seed ${seed}`)
    const ydoc = new Y.Doc()
    const next = random(seed)
    const exchange = () => {
      const forYrs = Y.encodeStateAsUpdate(ydoc, document.encodeStateVector())
      const forYjs = document.encodeStateAsUpdate(Y.encodeStateVector(ydoc))
      document.applyUpdate(forYrs)
      Y.applyUpdate(ydoc, forYjs)
    }
    for (let step = 0; step < STEPS; step++) {
      if (next(2)) change(next, ydoc.getText('text'), ydoc.getMap('map'))
      else change(next, document.text('text'), document.map('map'))
      if (next(12) === 0) exchange()
    }
    exchange()
    assertEqual(ydoc, document)
    await node.stop()
  }
})

test('a Yrs document loads what Yjs saved and the other way round', async () => {
  const ydoc = new Y.Doc()
  ydoc.getText('text').insert(0, 'saved by Yjs 🎉')
  ydoc.getMap('map').set('deep', { list: [1, 2.5, 'three', null, false] })
  ydoc.getText('text').delete(0, 6)
  const { node, document } = await yrsDocument('loads')
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  assertEqual(ydoc, document)
  const restored = new Y.Doc()
  Y.applyUpdate(restored, document.encodeStateAsUpdate())
  assert.equal(restored.getText('text').toString(), 'by Yjs 🎉')
  await node.stop()
})

scenario('a Y.Doc and a Yrs document in two Chromium processes end equal over the wire', async (scope) => {
  const [relay, site, one, two] = await Promise.all([
    scope.relay(),
    scope.open(serveVivim()),
    scope.chromium('one'),
    scope.chromium('two'),
  ])
  const [yjs, yrs] = await Promise.all([
    startPeer(one, site.origin, relay.address),
    startPeer(two, site.origin, relay.address),
  ])
  const room = newRoom()
  await Promise.all([ask(yjs, 'joinWithYjs', room), ask(yrs, 'joinWithYrs', room)])
  /** @param {any} tab @param {string} name */
  const edit = async (tab, name) => {
    for (let index = 0; index < 40; index++) {
      await ask(tab, 'insert', room, -1, `${name} ${index} 🎉 `)
      if (index % 5 === 4) await ask(tab, 'remove', room, 0, 3)
      await ask(tab, 'setKey', room, `${name}${index % 3}`, { index, list: [index, null, 'ü'] })
    }
  }
  await Promise.all([edit(yjs, 'yjs'), edit(yrs, 'yrs')])
  const state = await until('their states are equal', async () => {
    const [left, right] = [await ask(yjs, 'state', room), await ask(yrs, 'state', room)]
    assert.deepEqual(right, left)
    return left
  })
  assert.equal(Object.keys(state.json.map).length, 6)
  assert.equal(Object.keys(state.vector).length, 2)
})
