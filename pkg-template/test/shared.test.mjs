// Shared types of one document: text, map, array, XML, what is nested, groups, undo, positions.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import {
  DocMap, DocText, SharedArray, SharedMap, SharedText, SharedXmlElement, SharedXmlFragment, SharedXmlText,
} from 'vivim-wasm'
import * as Y from 'yjs'
import { code, open, settled, withSeeds } from './shared.mjs'

test('a shared type is one object, found by its name or its place', () => {
  const document = open('identity')
  assert.equal(document.text('t'), document.text('t'))
  assert.equal(document.map('m'), document.map('m'))
  assert.ok(document.text('t') instanceof SharedText && document.text('t') instanceof DocText)
  assert.ok(document.map('m') instanceof SharedMap && document.map('m') instanceof DocMap)
  assert.ok(document.array('a') instanceof SharedArray)
  assert.ok(document.xml('x') instanceof SharedXmlFragment)
  const nested = document.map('m').setMap('nested')
  assert.equal(document.map('m').get('nested'), nested)
  assert.equal([...document.map('m').values()][0], nested)
  const inArray = document.array('a').insertText()
  assert.equal(document.array('a').at(0), inArray)
  assert.equal([...document.array('a')][0], inArray)
  assert.equal(document.array('a').slice(-1)[0], inArray)
  assert.throws(() => document.map('t'), code('WRONG_KIND'))
  assert.throws(() => document.text('x'.repeat(5_000)), code('INVALID_NAME'))
})

test('every read sees what was typed, whatever is typed next', async () => {
  const letters = ['a', 'b', 'ü', '🎉', 'word ', '\n', '']
  // The next place that isn't within a pair of surrogates.
  const whole = (string, index) => /[\uD800-\uDBFF]/.test(string[index - 1] ?? '') ? index + 1 : index
  await withSeeds(60, async (next, seed) => {
    const document = open(`typing ${seed}`)
    const texts = ['one', 'two'].map(name => ({ shared: document.text(name), plain: '' }))
    let cursor = 0
    for (let step = 0; step < 150; step += 1) {
      const text = texts[next(8) === 0 ? 1 : 0]
      const { length } = text.plain
      // Mostly near the last edit, as people type.
      const index = whole(text.plain, next(4) === 0 ? next(length + 1) : Math.min(Math.max(cursor + next(3) - 1, 0), length))
      if (next(3) === 0) {
        const end = whole(text.plain, Math.min(index + next(4), length))
        text.shared.delete(index, end - index)
        text.plain = text.plain.slice(0, index) + text.plain.slice(end)
        cursor = index
      } else {
        const inserted = letters[next(letters.length)]
        text.shared.insert(index, inserted)
        text.plain = text.plain.slice(0, index) + inserted + text.plain.slice(index)
        cursor = index + inserted.length
      }
      assert.equal(text.shared.length, text.plain.length)
      if (next(5) === 0) assert.equal(text.shared.toString(), text.plain)
      if (next(40) === 0) await settled()
    }
    for (const { shared, plain } of texts) assert.equal(shared.toString(), plain)
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
    for (const [index, name] of ['one', 'two'].entries()) assert.equal(ydoc.getText(name).toString(), texts[index].plain)
  })
})

test('a letter typed and taken back leaves nothing', () => {
  const document = open('taken back')
  const text = document.text('t')
  text.insert(0, 'abc')
  const before = document.encodeStateVector()
  text.insert(1, 'x')
  text.insert(2, 'y')
  text.delete(1, 2)
  assert.deepEqual(document.encodeStateVector(), before)
  text.insert(1, 'x')
  text.delete(0, 3)
  text.delete(0, 0)
  assert.equal(text.toString(), 'c')
  assert.equal(text.length, 1)
})

test('what is out of bounds is refused at once, and what was typed before stays', () => {
  const document = open('bounds')
  const text = document.text('t')
  text.insert(0, 'abc')
  assert.throws(() => text.insert(4, 'x'), code('OUT_OF_BOUNDS'))
  assert.throws(() => text.delete(1, 3), code('OUT_OF_BOUNDS'))
  assert.throws(() => text.delete(4_000_000_000, 4_000_000_000), code('OUT_OF_BOUNDS'))
  for (const bad of [-1, 0.5, NaN, '0', undefined, 2 ** 32]) {
    assert.throws(() => text.insert(bad, 'x'), code('INVALID_ARGUMENT'), String(bad))
    assert.throws(() => text.delete(0, bad), code('INVALID_ARGUMENT'), String(bad))
  }
  assert.throws(() => text.insert(0, 5), code('INVALID_ARGUMENT'))
  text.insert(3, 'd')
  assert.equal(text.toString(), 'abcd')
})

test('text has formats, embedded values and deltas', () => {
  const document = open('formats')
  const text = document.text('t')
  text.insert(0, 'hello world')
  text.format(0, 5, { bold: true })
  text.insert(5, '!')
  text.insertEmbed(6, { image: 'x.png' }, { width: 10 })
  text.append('.', { link: 'https://example.org' })
  const delta = [
    { insert: 'hello!', attributes: { bold: true } },
    { insert: { image: 'x.png' }, attributes: { width: 10 } },
    { insert: ' world' },
    { insert: '.', attributes: { link: 'https://example.org' } },
  ]
  assert.deepEqual(text.toDelta(), delta)
  assert.equal(text.length, 14)
  assert.equal(text.toString(), 'hello! world.')
  const copy = document.text('copy')
  copy.applyDelta(text.toDelta())
  assert.deepEqual(copy.toDelta(), delta)
  copy.applyDelta([{ retain: 2, attributes: { bold: null } }, { delete: 4 }, { insert: '?' }])
  assert.deepEqual(copy.toDelta().slice(0, 2), [{ insert: 'he?' }, delta[1]])
  assert.throws(() => copy.applyDelta([{ retain: 100 }, { insert: 'x' }]), code('OUT_OF_BOUNDS'))
  assert.throws(() => copy.applyDelta([{ insert: 'x', retain: -1 }]), code('INVALID_ARGUMENT'))
  assert.throws(() => copy.applyDelta('x'), code('INVALID_ARGUMENT'))
  assert.throws(() => copy.format(0, 1, { bold: () => {} }), code('INVALID_ARGUMENT'))
  assert.deepEqual(copy.toDelta().slice(0, 2), [{ insert: 'he?' }, delta[1]])
})

test('what is typed at the edge of a format keeps it as if it had been typed alone', () => {
  for (const together of [true, false]) {
    const text = open(`edge ${together}`).text('t')
    const pause = () => together || text.toString()
    text.insert(0, 'ab')
    text.format(0, 2, { bold: true })
    text.append(' plain', {})
    text.insert(2, 'c')
    pause()
    text.insert(3, 'd')
    pause()
    text.delete(1, 1)
    assert.deepEqual(text.toDelta(), [{ insert: 'acd', attributes: { bold: true } }, { insert: ' plain' }])
  }
})

test('a map is read and written like a Map', () => {
  const map = open('map').map('m')
  assert.equal(map.set('b', 1).set('a', { deep: [1, null, 'x'] }), map)
  map.set('b', 2)
  assert.equal(map.size, 2)
  assert.deepEqual([...map], [['a', { deep: [1, null, 'x'] }], ['b', 2]])
  assert.deepEqual([...map.keys()], ['a', 'b'])
  assert.deepEqual([...map.values()], [{ deep: [1, null, 'x'] }, 2])
  assert.deepEqual([...map.entries()], [...map])
  const seen = []
  map.forEach((value, key, of) => seen.push([key, value, of === map]))
  assert.deepEqual(seen.map(([key]) => key), ['a', 'b'])
  assert.ok(map.has('a') && !map.has('c'))
  assert.equal(map.delete('a'), true)
  assert.equal(map.delete('a'), false)
  assert.deepEqual(map.toJSON(), { b: 2 })
  map.clear()
  assert.equal(map.size, 0)
  const odd = ['__proto__', 'constructor', '', 'ü🎉', '0']
  for (const key of odd) map.set(key, key)
  for (const key of odd) assert.equal(map.get(key), key)
  assert.deepEqual([...map.keys()].sort(), [...odd].sort())
  assert.equal(Object.getPrototypeOf(map.toJSON()), Object.prototype)
  assert.throws(() => map.set(5, 1), code('INVALID_ARGUMENT'))
  assert.throws(() => map.set('f', () => {}), code('INVALID_ARGUMENT'))
  assert.throws(() => map.set('x'.repeat(5_000), 1), code('INVALID_NAME'))
})

test('an array is read and written like an Array', () => {
  const array = open('array').array('a')
  assert.equal(array.push(1, 'two', { three: 3 }), 3)
  assert.equal(array.unshift(null), 4)
  array.insert(1, [true, [1, 2]])
  const plain = [null, true, [1, 2], 1, 'two', { three: 3 }]
  assert.deepEqual([...array], plain)
  assert.deepEqual(array.toJSON(), plain)
  assert.equal(array.length, 6)
  for (const index of [-7, -6, -1, 0, 3, 5, 6, 1.5, NaN]) assert.deepEqual(array.at(index), plain.at(index), String(index))
  for (const [start, end] of [[], [1], [-2], [1, 3], [-3, -1], [4, 2], [0, 99], [-99, 2]]) {
    assert.deepEqual(array.slice(start, end), plain.slice(start, end), `${start} ${end}`)
  }
  assert.deepEqual(array.map((value, index) => [value, index]), plain.map((value, index) => [value, index]))
  assert.deepEqual([...array.entries()], [...plain.entries()])
  array.delete(0)
  array.delete(1, 2)
  assert.deepEqual([...array], [true, 'two', { three: 3 }])
  assert.throws(() => array.insert(4, [1]), code('OUT_OF_BOUNDS'))
  assert.throws(() => array.delete(2, 2), code('OUT_OF_BOUNDS'))
  assert.throws(() => array.insert(0, [1, undefined]), code('INVALID_ARGUMENT'))
  assert.throws(() => array.insert(0, 'text'), code('INVALID_ARGUMENT'))
  assert.equal(array.length, 3)
  array.clear()
  assert.deepEqual([...array], [])
})

test('values are copied in and out', () => {
  const map = open('copies').map('m')
  const value = { list: [1] }
  map.set('k', value)
  value.list.push(2)
  assert.deepEqual(map.get('k'), { list: [1] })
  map.get('k').list.push(3)
  assert.deepEqual(map.get('k'), { list: [1] })
})

test('a value whose reading runs JavaScript finds the document usable', () => {
  const document = open('getters')
  const map = document.map('m')
  const value = {
    get now() {
      document.text('t').insert(0, 'written by a getter')
      return map.size
    },
  }
  map.set('k', value)
  assert.deepEqual(map.get('k'), { now: 0 })
  assert.equal(document.text('t').toString(), 'written by a getter')
  assert.throws(() => map.set('k', { get now() { throw new Error('no') } }))
  assert.throws(() => map.set('k', new Proxy({}, { ownKeys() { throw new Error('no') } })))
  assert.deepEqual(map.get('k'), { now: 0 })
})

test('shared types nest, and tell when they are gone', () => {
  const document = open('nesting')
  const root = document.map('m')
  const todo = root.setArray('todo', [1, 2])
  const entry = todo.insertMap(1, { title: 'x', done: false })
  const notes = entry.setText('notes', 'hello')
  notes.append(' there')
  entry.setMap('inner').setArray('deep').push('end')
  assert.deepEqual(document.toJSON(), {
    m: { todo: [1, { title: 'x', done: false, notes: 'hello there', inner: { deep: ['end'] } }, 2] },
  })
  assert.deepEqual(entry.toJSON(), { title: 'x', done: false, notes: 'hello there', inner: { deep: ['end'] } })
  assert.ok(notes.attached)
  todo.delete(1)
  for (const use of [() => notes.toString(), () => notes.insert(0, 'x'), () => entry.set('a', 1), () => entry.size, () => entry.toJSON()]) {
    assert.throws(use, code('GONE'))
  }
  assert.equal(notes.attached, false)
  assert.equal(entry.attached, false)
  assert.ok(todo.attached && root.attached)
  const text = todo.insertText(0)
  text.insert(0, 'typed into what is deleted')
  todo.delete(0)
  assert.deepEqual(todo.toJSON(), [1, 2])
})

test('XML has elements, attributes and texts', () => {
  const document = open('xml')
  const xml = document.xml('x')
  const p = xml.insertElement(0, 'p', { class: 'first' })
  const text = p.insertText(0, 'hello')
  text.format(0, 2, { b: {} })
  const br = p.insertElement(1, 'br')
  xml.insertElement(1, 'heading').setAttribute('level', 2)
  assert.equal(p.tag, 'p')
  assert.equal(p.getAttribute('class'), 'first')
  assert.equal(p.getAttribute('none'), undefined)
  assert.equal(xml.at(1).getAttribute('level'), 2)
  assert.deepEqual(p.attributes(), { class: 'first' })
  assert.deepEqual([...p], [text, br])
  assert.equal(xml.at(0), p)
  assert.equal(xml.at(-1).tag, 'heading')
  assert.ok(p instanceof SharedXmlElement && text instanceof SharedXmlText)
  assert.equal(xml.length, 2)
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  assert.equal(xml.toString(), ydoc.getXmlFragment('x').toString())
  p.removeAttribute('class')
  assert.deepEqual(p.attributes(), {})
  p.delete(0)
  assert.deepEqual([...p], [br])
  assert.throws(() => p.delete(0, 2), code('OUT_OF_BOUNDS'))
  assert.throws(() => p.insertElement(9, 'p'), code('OUT_OF_BOUNDS'))
  xml.clear()
  assert.equal(xml.toString(), '')
  assert.throws(() => p.length, code('GONE'))
})

test('a change is one update, also with others within it', async () => {
  const document = open('change')
  const updates = []
  document.on('update', ({ update }) => updates.push(update))
  const result = document.change(() => {
    document.text('t').insert(0, 'a')
    document.map('m').set('k', 1)
    document.change(() => document.array('a').push(1, 2))
    // What is done can be read at once.
    assert.equal(document.text('t').toString(), 'a')
    document.text('t').insert(1, 'b')
    return 'result'
  })
  assert.equal(result, 'result')
  await settled()
  assert.equal(updates.length, 1)
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, updates[0])
  assert.equal(ydoc.getText('t').toString(), 'ab')
  assert.deepEqual(ydoc.getArray('a').toJSON(), [1, 2])
  document.change(() => {})
  await settled()
  assert.equal(updates.length, 1)
})

test('what a change did before it threw stays, and the error goes on', async () => {
  const document = open('throwing')
  const updates = []
  document.on('update', ({ update }) => updates.push(update))
  const error = new Error('thrown')
  assert.throws(() => document.change(() => {
    document.text('t').insert(0, 'kept')
    document.change(() => {
      document.map('m').set('k', 1)
      throw error
    })
  }), thrown => thrown === error)
  assert.deepEqual(document.toJSON(), { t: 'kept', m: { k: 1 } })
  await settled()
  assert.equal(updates.length, 1)
  // The group has ended: the next edit is another update.
  document.text('t').insert(4, '!')
  await settled()
  assert.equal(updates.length, 2)
})

test('undo takes back what was done here, step by step', async () => {
  const document = open('undo')
  const text = document.text('t')
  const map = document.map('m')
  const undo = document.undoManager([text, map])
  assert.equal(undo.canUndo, false)
  assert.equal(undo.undo(), false)
  const seen = []
  undo.on('change', state => seen.push(state))
  text.insert(0, 'one')
  undo.stopCapturing()
  document.change(() => {
    text.insert(3, ' two')
    map.set('k', 1)
  })
  assert.ok(undo.canUndo && !undo.canRedo)
  assert.equal(undo.undo(), true)
  assert.deepEqual(document.toJSON(), { t: 'one', m: {} })
  assert.ok(undo.canRedo)
  assert.equal(undo.undo(), true)
  assert.equal(text.toString(), '')
  assert.equal(undo.undo(), false)
  assert.equal(undo.redo(), true)
  assert.equal(undo.redo(), true)
  assert.deepEqual(document.toJSON(), { t: 'one two', m: { k: 1 } })
  assert.equal(undo.redo(), false)
  await settled()
  assert.deepEqual(seen, [{ canUndo: true, canRedo: false }])
  document.array('other').push(1)
  undo.undo()
  assert.deepEqual(document.array('other').toJSON(), [1], 'what is out of scope stays')
  undo.clear()
  assert.ok(!undo.canUndo && !undo.canRedo)
  undo.close()
  undo.close()
  assert.throws(() => undo.undo(), code('CLOSED'))
  assert.throws(() => document.undoManager(open('undo elsewhere').text('t')), code('INVALID_ARGUMENT'))
  assert.throws(() => document.undoManager([]), code('INVALID_ARGUMENT'))
  assert.throws(() => document.undoManager(text, { captureTimeout: -1 }), code('INVALID_ARGUMENT'))
})

test('undo leaves what others have written meanwhile', () => {
  const document = open('undo of two')
  const text = document.text('t')
  const undo = document.undoManager(text)
  text.insert(0, 'mine')
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  ydoc.getText('t').insert(4, ' theirs')
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  assert.equal(text.toString(), 'mine theirs')
  undo.undo()
  assert.equal(text.toString(), ' theirs')
})

test('undo takes back changes of what is nested in its scope', () => {
  const document = open('undo nested')
  const undo = document.undoManager(document.map('m'), { captureTimeout: 0 })
  const list = document.map('m').setArray('list', [1])
  list.push(2)
  undo.undo()
  assert.deepEqual(document.map('m').toJSON(), { list: [1] })
  undo.undo()
  assert.deepEqual(document.map('m').toJSON(), {})
  undo.redo()
  assert.deepEqual(document.map('m').toJSON(), { list: [1] })
})

test('a relative position stays at its letter, and is one of Yjs', () => {
  const document = open('positions')
  const text = document.text('t')
  text.insert(0, 'hello world')
  const position = document.relativePosition(text, 6)
  const end = document.relativePosition(text, 11)
  text.insert(0, '>> ')
  assert.deepEqual(document.absolutePosition(position), { type: text, index: 9 })
  assert.equal(document.absolutePosition(end).index, 14)
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  const theirs = Y.createAbsolutePositionFromRelativePosition(Y.decodeRelativePosition(position), ydoc)
  assert.equal(theirs.index, 9)
  const fromYjs = Y.encodeRelativePosition(Y.createRelativePositionFromTypeIndex(ydoc.getText('t'), 3))
  assert.deepEqual(document.absolutePosition(fromYjs), { type: text, index: 3 })
  text.delete(3, 6)
  assert.equal(document.absolutePosition(position).index, 3)
  const nested = document.array('a').insertText(0, 'abc')
  const inNested = document.relativePosition(nested, 1)
  assert.deepEqual(document.absolutePosition(inNested), { type: nested, index: 1 })
  document.array('a').delete(0)
  assert.equal(document.absolutePosition(inNested), undefined)
  assert.throws(() => document.relativePosition(text, 99), code('OUT_OF_BOUNDS'))
  assert.equal(document.absolutePosition(Uint8Array.of(9, 9, 9)), undefined)
})

test('a snapshot says which edits there are, as Yjs does, and is equal where they are', () => {
  const document = open('snapshot')
  const ydoc = new Y.Doc()
  assert.deepEqual(document.snapshot(), Y.encodeSnapshot(Y.snapshot(ydoc)))
  ydoc.getText('t').insert(0, 'hello')
  ydoc.getMap('m').set('k', 1)
  ydoc.getMap('m').set('k', 2)
  ydoc.getText('t').delete(1, 3)
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  assert.deepEqual(document.snapshot(), Y.encodeSnapshot(Y.snapshot(ydoc)))
  const before = document.snapshot()
  document.text('t').insert(0, '!')
  assert.notDeepEqual(document.snapshot(), before)
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  assert.ok(Y.equalSnapshots(Y.decodeSnapshot(document.snapshot()), Y.snapshot(ydoc)))
})

test('what was in a document at a snapshot is there to be read, unless it was deleted', () => {
  const document = open('then')
  const empty = document.snapshot()
  assert.deepEqual(document.toJSONAt(empty), {})
  document.text('t').insert(0, 'hello 👋')
  document.map('m').set('list', [1, { a: null }])
  document.map('m').setArray('nested').push('x')
  const first = document.snapshot()
  document.text('t').insert(0, 'oh, ')
  document.map('m').get('nested').push('y')
  document.array('later').push(1)
  const second = document.snapshot()
  // A shared type that was asked for exists.
  assert.deepEqual(document.toJSONAt(empty), { t: '', m: {}, later: [] })
  const then = { t: 'hello 👋', m: { list: [1, { a: null }], nested: ['x'] } }
  assert.deepEqual(document.toJSONAt(first), { ...then, later: [] })
  assert.deepEqual(document.toJSONAt(second), { t: 'oh, hello 👋', m: { list: [1, { a: null }], nested: ['x', 'y'] }, later: [1] })
  assert.deepEqual(document.toJSONAt(second), document.toJSON(), 'reading the past changes nothing')
  // Another document doesn't know of these edits until it has them; then a snapshot may go anywhere.
  const other = open('then, elsewhere')
  assert.throws(() => other.toJSONAt(first), code('NOT_FOUND'))
  other.applyUpdate(document.encodeStateAsUpdate())
  assert.deepEqual(other.toJSONAt(first), then)
  document.text('t').delete(0, 8)
  assert.throws(() => document.toJSONAt(first), code('GONE'))
  assert.throws(() => document.toJSONAt(second), code('GONE'))
  assert.deepEqual(document.toJSONAt(document.snapshot()), document.toJSON())
  assert.deepEqual(document.toJSONAt(empty), { t: '', m: {}, later: [] }, 'nothing of that was deleted')
  for (const bad of [new Uint8Array(), new Uint8Array([255]), document.encodeStateAsUpdate()]) {
    assert.throws(() => document.toJSONAt(bad), code('INVALID_UPDATE'))
  }
})
