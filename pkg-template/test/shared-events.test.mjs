// What handlers of shared types are told, and when.

import { strict as assert } from 'node:assert'
import { mock, test } from 'node:test'
import * as Y from 'yjs'
import { applyDelta, applyListDelta, code, open, settled, withSeeds } from './shared.mjs'

test('a text tells its changes as deltas', async () => {
  const text = open('text events').text('t')
  const changes = []
  const off = text.on('change', change => changes.push(change))
  text.insert(0, 'hello')
  await settled()
  text.insert(5, ' world')
  text.delete(0, 1)
  await settled()
  text.format(0, 2, { bold: true })
  await settled()
  assert.deepEqual(changes[0], { target: text, path: [], origin: 'local', delta: [{ insert: 'hello' }] })
  assert.equal(changes.reduce((plain, { delta }) => applyDelta(plain, delta), ''), 'ello world')
  assert.deepEqual(changes.at(-1).delta, [{ retain: 2, attributes: { bold: true } }])
  const before = changes.length
  off()
  off()
  text.insert(0, 'x')
  await settled()
  assert.equal(changes.length, before)
})

test('a map tells its keys with what they were and are', async () => {
  const map = open('map events').map('m')
  map.set('old', 1)
  const changes = []
  map.on('change', change => changes.push(change))
  map.set('new', { a: 1 })
  await settled()
  map.set('old', 2)
  await settled()
  const nested = map.setMap('nested')
  await settled()
  map.delete('old')
  await settled()
  assert.deepEqual(changes.map(({ keys }) => [...keys]), [
    [['new', { action: 'add', oldValue: undefined, newValue: { a: 1 } }]],
    [['old', { action: 'update', oldValue: 1, newValue: 2 }]],
    [['nested', { action: 'add', oldValue: undefined, newValue: nested }]],
    [['old', { action: 'delete', oldValue: 2, newValue: undefined }]],
  ])
  assert.ok(changes.every(({ target, path, origin }) => target === map && path.length === 0 && origin === 'local'))
  assert.equal(changes[2].keys.get('nested').newValue, nested)
})

test('an array tells its changes as deltas', async () => {
  const array = open('array events').array('a')
  const changes = []
  array.on('change', change => changes.push(change))
  array.push(1, 2, 3)
  await settled()
  array.delete(1)
  const nested = array.insertMap(0)
  await settled()
  assert.deepEqual(changes[0].delta, [{ insert: [1, 2, 3] }])
  const copy = changes.reduce((list, { delta }) => applyListDelta(list, delta), [])
  assert.equal(copy[0], nested)
  assert.deepEqual(copy.slice(1), [1, 3])
})

test('XML tells of children and attributes', async () => {
  const xml = open('xml events').xml('x')
  const p = xml.insertElement(0, 'p')
  const changes = []
  p.on('change', change => changes.push(change))
  const text = p.insertText(0, 'hello')
  await settled()
  p.setAttribute('class', 'a')
  await settled()
  assert.deepEqual(changes[0].delta, [{ insert: [text] }])
  assert.deepEqual([...changes.at(-1).keys], [['class', { action: 'add', oldValue: undefined, newValue: 'a' }]])
})

test('a deep handler hears of what is nested, with the way there', async () => {
  const document = open('deep events')
  const root = document.map('m')
  const list = root.setArray('list', ['first'])
  const entry = list.insertMap(1)
  const seen = []
  const off = root.onDeep(change => seen.push(change))
  entry.set('title', 'x')
  await settled()
  root.set('k', 1)
  await settled()
  assert.deepEqual(seen.map(({ target, path }) => [target, path]), [[entry, ['list', 1]], [root, []]])
  const shallow = []
  root.on('change', change => shallow.push(change))
  entry.set('title', 'y')
  root.set('k', 2)
  await settled()
  assert.equal(shallow.length, 1)
  assert.equal(seen.length, 4)
  off()
  entry.set('title', 'z')
  root.set('k', 3)
  await settled()
  assert.equal(shallow.length, 2)
  assert.equal(seen.length, 4)
})

test('a change says whose it is', async () => {
  const document = open('origins')
  const text = document.text('t')
  const undo = document.undoManager(text)
  const origins = []
  text.on('change', ({ origin }) => origins.push(origin))
  text.insert(0, 'mine')
  await settled()
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  ydoc.getText('t').insert(0, 'theirs ')
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  await settled()
  undo.undo()
  await settled()
  assert.deepEqual(origins, ['local', 'remote', 'undo'])
})

test('handlers run after the call, may edit, and do not hurt each other', async () => {
  const document = open('reentrant')
  const text = document.text('t')
  const map = document.map('m')
  const reported = mock.method(console, 'error', () => {})
  const reportError = globalThis.reportError
  globalThis.reportError = undefined
  try {
    let inside = false
    const lengths = []
    text.on('change', () => { throw new Error('the first handler fails') })
    text.on('change', () => {
      assert.equal(inside, false)
      lengths.push(text.length)
      // Every kind of call is allowed here.
      if (text.length < 5) text.insert(text.length, 'x')
      map.set('seen', text.toString())
      document.change(() => document.array('a').push(text.length))
      document.encodeStateAsUpdate()
    })
    inside = true
    text.insert(0, 'ab')
    inside = false
    assert.deepEqual(lengths, [], 'not during the call')
    await settled()
    assert.deepEqual(lengths, [2, 3, 4, 5])
    assert.equal(map.get('seen'), 'abxxx')
    assert.equal(reported.mock.callCount(), 4)
  } finally {
    reported.mock.restore()
    globalThis.reportError = reportError
  }
})

test('a handler that removes another one in its turn is obeyed', async () => {
  const text = open('removal').text('t')
  const seen = []
  let off = () => {}
  text.on('change', () => { seen.push('a'); off() })
  off = text.on('change', () => seen.push('b'))
  text.insert(0, 'x')
  await settled()
  assert.deepEqual(seen, ['a'])
  assert.throws(() => text.on('nothing', () => {}), TypeError)
  assert.throws(() => text.on('change', 5), TypeError)
  assert.throws(() => text.onDeep(), TypeError)
})

test('a shared type that is gone is not watched any more, and says so when asked', async () => {
  const document = open('gone events')
  const nested = document.map('m').setText('t', 'abc')
  const seen = []
  const off = nested.on('change', change => seen.push(change))
  document.map('m').delete('t')
  await settled()
  off()
  assert.throws(() => nested.on('change', () => {}), code('GONE'))
})

test('of more changes at once than are told the application hears that some were lost, and of later ones as ever', async () => {
  const document = open('lost events')
  const map = document.map('m')
  const heard = []
  map.on('change', ({ keys }) => heard.push([...keys.keys()].at(-1)))
  const off = map.on('lost', () => heard.push('lost'))
  for (let at = 0; at < 4_096; at += 1) map.set('key', at)
  await settled()
  assert.equal(heard.length, 4_096)
  assert.ok(!heard.includes('lost'))
  heard.length = 0
  for (let at = 0; at < 5_000; at += 1) map.set('key', at)
  await settled()
  // First, so that a copy that is read anew has the changes that are told behind it.
  assert.equal(heard[0], 'lost')
  assert.equal(heard.indexOf('lost', 1), -1)
  assert.ok(heard.length < 5_000)
  assert.equal(map.get('key'), 4_999)
  heard.length = 0
  map.set('later', 1)
  await settled()
  assert.deepEqual(heard, ['later'])
  off()
  for (let at = 0; at < 5_000; at += 1) map.set('key', at)
  await settled()
  assert.ok(!heard.includes('lost'))
})

test('whoever applies every delta to a copy keeps it equal', async () => {
  await withSeeds(40, async (next, seed) => {
    const document = open(`copies ${seed}`)
    const ydoc = new Y.Doc()
    const text = document.text('t')
    const array = document.array('a')
    const map = document.map('m')
    let textCopy = ''
    let arrayCopy = []
    const mapCopy = new Map()
    text.on('change', ({ delta }) => { textCopy = applyDelta(textCopy, delta) })
    array.on('change', ({ delta }) => { arrayCopy = applyListDelta(arrayCopy, delta) })
    map.on('change', ({ keys }) => {
      for (const [key, { action, newValue }] of keys) {
        if (action === 'delete') mapCopy.delete(key)
        else mapCopy.set(key, newValue)
      }
    })
    for (let step = 0; step < 60; step += 1) {
      switch (next(8)) {
        case 0:
        case 1:
          text.insert(next(text.length + 1), 'abc'.slice(next(3)))
          break
        case 2:
          if (text.length > 0) text.delete(next(text.length), 1)
          break
        case 3:
          array.insert(next(array.length + 1), [step, step])
          break
        case 4:
          if (array.length > 0) array.delete(next(array.length))
          break
        case 5:
          if (next(3) === 0) map.delete(`k${next(4)}`)
          else map.set(`k${next(4)}`, step)
          break
        case 6:
          Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
          ydoc.transact(() => {
            ydoc.getText('t').insert(next(ydoc.getText('t').length + 1), 'Y')
            ydoc.getArray('a').insert(next(ydoc.getArray('a').length + 1), ['Y'])
            ydoc.getMap('m').set(`k${next(4)}`, 'Y')
          })
          if (next(2) === 0) document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
          break
        default:
          await settled()
      }
    }
    await settled()
    assert.equal(textCopy, text.toString())
    assert.deepEqual(arrayCopy, [...array])
    assert.deepEqual(Object.fromEntries(mapCopy), map.toJSON())
  })
})
