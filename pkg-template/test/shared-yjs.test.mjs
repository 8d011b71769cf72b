// Shared types against Yjs: what one writes, the other reads.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import * as Y from 'yjs'
import { code, open, withSeeds } from './shared.mjs'

const WORDS = ['a', 'bc', 'ü', '🎉', ' ']
const whole = (string, index) => /[\uD800-\uDBFF]/.test(string[index - 1] ?? '') ? index + 1 : index

/** One random edit of ours, the same of Yjs on another replica. */
const EDITS = {
  text(next, ours, theirs) {
    const string = theirs.toString()
    const index = whole(string, next(string.length + 1))
    if (next(3) > 0) {
      const word = WORDS[next(WORDS.length)]
      return { ours: () => ours.insert(index, word), theirs: () => theirs.insert(index, word) }
    }
    const end = whole(string, Math.min(index + next(3), string.length))
    return { ours: () => ours.delete(index, end - index), theirs: () => theirs.delete(index, end - index) }
  },
  map(next, ours, theirs) {
    const key = `k${next(5)}`
    const value = [next(100), `v${next(9)}`, null, { a: [next(9)] }, true, 1.5][next(6)]
    if (next(4) === 0) return { ours: () => ours.delete(key), theirs: () => theirs.delete(key) }
    return { ours: () => ours.set(key, value), theirs: () => theirs.set(key, value) }
  },
  array(next, ours, theirs) {
    const { length } = theirs
    const index = next(length + 1)
    if (next(3) > 0) {
      const values = [next(100), { x: next(9) }].slice(next(2))
      return { ours: () => ours.insert(index, values), theirs: () => theirs.insert(index, values) }
    }
    const count = Math.min(next(3), length - index)
    return { ours: () => ours.delete(index, count), theirs: () => theirs.delete(index, count) }
  },
}

function yjsOf(document) {
  const ydoc = new Y.Doc()
  ydoc.getText('text')
  ydoc.getMap('map')
  ydoc.getArray('array')
  ydoc.getXmlFragment('xml')
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  return ydoc
}

test('the same edits make the same document in both', async () => {
  await withSeeds(60, (next, seed) => {
    const document = open(`same edits ${seed}`)
    const ydoc = new Y.Doc()
    const kinds = { text: [document.text('text'), ydoc.getText('text')], map: [document.map('map'), ydoc.getMap('map')], array: [document.array('array'), ydoc.getArray('array')] }
    for (let step = 0; step < 80; step += 1) {
      const kind = Object.keys(kinds)[next(3)]
      const edit = EDITS[kind](next, ...kinds[kind])
      edit.ours()
      edit.theirs()
    }
    assert.deepEqual(document.toJSON(), ydoc.toJSON())
    assert.deepEqual(yjsOf(document).toJSON(), { ...ydoc.toJSON(), xml: '' })
    const back = open(`same edits back ${seed}`)
    back.applyUpdate(Y.encodeStateAsUpdate(ydoc))
    back.text('text')
    back.map('map')
    back.array('array')
    assert.deepEqual(back.toJSON(), ydoc.toJSON())
  })
})

test('concurrent edits of both converge', async () => {
  await withSeeds(40, (next, seed) => {
    const document = open(`concurrent ${seed}`)
    const ydoc = new Y.Doc()
    const ours = { text: document.text('text'), map: document.map('map'), array: document.array('array') }
    const theirs = { text: ydoc.getText('text'), map: ydoc.getMap('map'), array: ydoc.getArray('array') }
    for (let round = 0; round < 10; round += 1) {
      for (let step = 0; step < 6; step += 1) {
        const kind = ['text', 'map', 'array'][next(3)]
        // Against one's own state, so that both change things at once.
        if (next(2) === 0) EDITS[kind](next, ours[kind], shadow(ours[kind])).ours()
        else EDITS[kind](next, ours[kind], theirs[kind]).theirs()
      }
      if (next(3) === 0) continue
      const missing = Y.encodeStateAsUpdate(ydoc, document.encodeStateVector())
      Y.applyUpdate(ydoc, document.encodeStateAsUpdate(Y.encodeStateVector(ydoc)))
      document.applyUpdate(missing)
      assert.deepEqual(document.toJSON(), ydoc.toJSON())
    }
  })
})

/** What an edit has to know of a shared type. */
function shadow(shared) {
  return { toString: () => shared.toString(), get length() { return shared.length } }
}

test('formatted text is read alike', async () => {
  await withSeeds(60, (next, seed) => {
    const document = open(`formats ${seed}`)
    const text = document.text('text')
    for (let step = 0; step < 40; step += 1) {
      const { length } = text
      const index = next(length + 1)
      const count = Math.min(next(5), length - index)
      const attributes = [{ bold: true }, { bold: null }, { link: 'x' }, { link: null, italic: true }][next(4)]
      switch (next(6)) {
        case 0:
        case 1:
          text.insert(index, 'abc'.slice(next(3)))
          break
        case 2:
          text.insert(index, 'xyz'.slice(next(3)), attributes)
          break
        case 3:
          text.delete(index, count)
          break
        case 4:
          text.format(index, count, attributes)
          break
        default:
          text.insertEmbed(index, { image: step })
      }
    }
    const ydoc = yjsOf(document)
    assert.deepEqual(joined(text.toDelta()), joined(ydoc.getText('text').toDelta()))
    assert.equal(text.toString(), ydoc.getText('text').toString())
    const copy = open(`formats copy ${seed}`).text('text')
    copy.applyDelta(text.toDelta())
    assert.deepEqual(joined(copy.toDelta()), joined(text.toDelta()))
  })
})

/** Neighbouring pieces of one format are one piece: Yjs cuts them where a format was. */
function joined(delta) {
  const out = []
  for (const { insert, attributes = {} } of delta) {
    const last = out.at(-1)
    const format = JSON.stringify(Object.entries(attributes).sort())
    if (last !== undefined && last.format === format && typeof insert === 'string' && typeof last.insert === 'string') last.insert += insert
    else out.push({ insert, format })
  }
  return out
}

/** Some formats, or none, for a step of a delta. */
function someAttributes(next) {
  const values = [true, null, 'x', { a: 1 }]
  const keys = ['bold', 'link', 'size'].filter(() => next(3) === 0)
  return keys.length === 0 ? {} : { attributes: Object.fromEntries(keys.map(key => [key, values[next(4)]])) }
}

/** A delta of several steps for a text that reads as these units. */
function someDelta(next, units) {
  const delta = []
  let at = 0
  for (let steps = 1 + next(8); steps > 0; steps -= 1) {
    const length = wholeUnit(units, at + next(Math.min(5, units.length - at) + 1)) - at
    const kind = next(5)
    if (length === 0 || kind === 4) {
      const insert = ['a', 'bc', 'ü', '🎉', { image: next(9) }][next(5)]
      delta.push({ insert, ...someAttributes(next) })
    } else {
      delta.push(kind < 2 ? { delete: length } : { retain: length, ...someAttributes(next) })
      at += length
    }
  }
  return delta
}

/** A text of Yjs that two have worked on, with whatever marks that leaves. */
function someText(next) {
  const ydocs = [new Y.Doc(), new Y.Doc()]
  for (let step = next(30); step > 0; step -= 1) {
    const text = ydocs[next(2)].getText('text')
    const units = unitsOf(text)
    const index = wholeUnit(units, next(units.length + 1))
    const count = wholeUnit(units, Math.min(index + next(5), units.length)) - index
    const { attributes = {} } = someAttributes(next)
    switch (next(7)) {
      case 0:
        text.insert(index, 'ab🎉')
        break
      case 1:
        text.insert(index, 'cd', attributes)
        break
      case 2:
      case 3:
        text.format(index, count, attributes)
        break
      case 4:
        text.delete(index, count)
        break
      case 5:
        text.insertEmbed(index, new Y.Map([['k', step]]), attributes)
        break
      default:
        text.insertEmbed(index, { image: step }, attributes)
    }
    if (next(4) === 0) exchange(...ydocs)
  }
  exchange(...ydocs)
  return Y.encodeStateAsUpdate(ydocs[0])
}

/** Each gets what the other has, and then what Yjs has tidied up upon that. */
function exchange(one, other) {
  for (let round = 0; round < 2; round += 1) {
    const missing = updateOf(other, vectorOf(one))
    apply(other, updateOf(one, vectorOf(other)))
    apply(one, missing)
  }
}

// Documents of either kind.
const vectorOf = document => document instanceof Y.Doc ? Y.encodeStateVector(document) : document.encodeStateVector()
const updateOf = (document, vector) => document instanceof Y.Doc ? Y.encodeStateAsUpdate(document, vector) : document.encodeStateAsUpdate(vector)
const apply = (document, update) => document instanceof Y.Doc ? Y.applyUpdate(document, update) : document.applyUpdate(update)

/** The units of a text: UTF-16 code units, and one for each thing that is embedded. */
const unitsOf = text => text.toDelta().flatMap(({ insert }) => typeof insert === 'string' ? insert.split('') : [''])
const wholeUnit = (units, index) => /[\uD800-\uDBFF]/.test(units[index - 1] ?? '') ? index + 1 : index

/** A text as it reads: `joined`, with shared types as what is in them. */
const reads = text => joined(text.toDelta()).map(({ insert, format }) => ({ insert: insert?.toJSON?.() ?? insert, format }))

for (const start of ['empty', 'formatted']) {
  test(`a delta with formats does the same in both, in a text that is ${start}`, async () => {
    await withSeeds(200, (next, seed) => {
      const update = start === 'empty' ? Y.encodeStateAsUpdate(new Y.Doc()) : someText(next)
      const [document, ydoc, copy] = [open(`deltas ${start} ${seed}`), new Y.Doc(), new Y.Doc()]
      for (const each of [document, ydoc, copy]) apply(each, update)
      const [text, theirs] = [document.text('text'), ydoc.getText('text')]
      assert.deepEqual(reads(text), reads(theirs))
      for (let round = 0; round < 6; round += 1) {
        const delta = someDelta(next, unitsOf(theirs))
        text.applyDelta(delta)
        // Yjs writes into what it is given.
        theirs.applyDelta(structuredClone(delta))
        assert.deepEqual(reads(text), reads(theirs), JSON.stringify(delta))
        exchange(document, copy)
        assert.deepEqual(reads(copy.getText('text')), reads(theirs), `read by Yjs: ${JSON.stringify(delta)}`)
        assert.deepEqual(reads(text), reads(theirs), `tidied up by Yjs: ${JSON.stringify(delta)}`)
      }
    })
  })
}

test('concurrent deltas with formats converge', async () => {
  await withSeeds(200, (next, seed) => {
    const update = someText(next)
    const [document, ydoc] = [open(`concurrent deltas ${seed}`), new Y.Doc()]
    for (const each of [document, ydoc]) apply(each, update)
    const [text, theirs] = [document.text('text'), ydoc.getText('text')]
    for (let round = 0; round < 5; round += 1) {
      for (let edits = 1 + next(3); edits > 0; edits -= 1) {
        if (next(2) === 0) text.applyDelta(someDelta(next, unitsOf(text)))
        else theirs.applyDelta(someDelta(next, unitsOf(theirs)))
      }
      exchange(document, ydoc)
      assert.deepEqual(reads(text), reads(theirs))
    }
  })
})

test('shared types appended by both are in one order', async () => {
  await withSeeds(60, (next, seed) => {
    const [document, ydoc] = [open(`appended ${seed}`), new Y.Doc()]
    const [list, theirs] = [document.array('list'), ydoc.getArray('list')]
    for (let step = 0; step < 40; step += 1) {
      const text = `${step}`
      switch (next(8)) {
        case 0:
        case 1:
          theirs.push([new Y.Map([['k', text]])])
          break
        case 2:
          if (list.length > 0) list.delete(next(list.length), 1)
          break
        case 3:
          if (theirs.length > 0) theirs.delete(theirs.length - 1, 1)
          break
        case 4:
          exchange(document, ydoc)
          assert.deepEqual(list.toJSON(), theirs.toJSON())
          break
        default:
          list.insertMap().set('k', text)
          assert.deepEqual(list.toJSON().at(-1), { k: text })
      }
    }
    exchange(document, ydoc)
    assert.deepEqual(list.toJSON(), theirs.toJSON())
    assert.deepEqual(list.toJSON(), yjsOf(document).getArray('list').toJSON())
  })
})

test('XML is read alike', async () => {
  await withSeeds(40, (next, seed) => {
    const document = open(`xml ${seed}`)
    const root = document.xml('xml')
    const parents = [root]
    const texts = []
    for (let step = 0; step < 40; step += 1) {
      const parent = parents[next(parents.length)]
      const index = next(parent.length + 1)
      switch (next(5)) {
        case 0:
          parents.push(parent.insertElement(index, ['p', 'h1', 'li'][next(3)], { a: `${step}` }))
          break
        case 1:
          texts.push(parent.insertText(index, `t${step}`))
          break
        case 2:
          if (texts.length > 0) texts[next(texts.length)].insert(0, 'x')
          break
        case 3:
          if (parent !== root) parent.setAttribute(`b${next(3)}`, `${step}`)
          break
        default:
          if (texts.length > 0) {
            const text = texts[next(texts.length)]
            text.format(0, Math.min(1, text.length), { b: {} })
          }
      }
    }
    assert.equal(root.toString(), yjsOf(document).getXmlFragment('xml').toString())
    assert.equal(document.toJSON().xml, root.toString())
  })
})

test('what Yjs has nested is found, read and edited here', () => {
  const ydoc = new Y.Doc()
  const inner = new Y.Map([['title', 'x']])
  ydoc.getArray('list').push([inner, 'plain', new Y.Text('text'), new Y.Array()])
  ydoc.getArray('list').get(2).applyDelta([{ retain: 4, attributes: { bold: true } }])
  const document = open('nested of yjs')
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  const list = document.array('list')
  assert.deepEqual(list.toJSON(), [{ title: 'x' }, 'plain', 'text', []])
  const [map, plain, text, array] = list
  assert.equal(plain, 'plain')
  map.set('title', 'y')
  text.insert(4, '!')
  array.push(1)
  Y.applyUpdate(ydoc, document.encodeStateAsUpdate())
  assert.deepEqual(ydoc.getArray('list').toJSON(), [{ title: 'y' }, 'plain', 'text!', [1]])
  assert.deepEqual(ydoc.getArray('list').get(2).toDelta(), [{ insert: 'text!', attributes: { bold: true } }])
})

test('a bigint is read alike by everyone, as a number if it is a safe integer', () => {
  const document = open('bigints')
  const values = [0n, 5n, -5n, 2n ** 31n, 2n ** 40n]
  for (const edge of [2n ** 53n, 2n ** 60n, 2n ** 62n, 2n ** 63n - 3n]) {
    for (let by = -2n; by <= 2n; by += 1n) values.push(edge + by, -edge - by)
  }
  values.push(-(2n ** 63n), 1024n - 2n ** 63n, 2n ** 63n - 1024n)
  document.array('list').push(...values)
  const expected = values.map(value => Number.isSafeInteger(Number(value)) ? Number(value) : value)
  assert.deepEqual([...document.array('list')], expected)
  assert.deepEqual(yjsOf(document).getArray('list').toArray(), expected)
  const copy = open('copied bigints')
  copy.applyUpdate(document.encodeStateAsUpdate())
  assert.deepEqual([...copy.array('list')], expected)
  // Those of Yjs, at once and by way of another replica.
  const ydoc = new Y.Doc()
  ydoc.getArray('list').push([{ values }])
  const direct = open('bigints of yjs')
  direct.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  assert.deepEqual([...direct.array('list')], [{ values: expected }])
  const indirect = open('bigints of yjs, second hand')
  indirect.applyUpdate(direct.encodeStateAsUpdate())
  assert.deepEqual([...indirect.array('list')], [{ values: expected }])
  for (const refused of [2n ** 63n, -(2n ** 63n) - 1n]) {
    assert.throws(() => document.array('list').push(refused), code('INVALID_ARGUMENT'), `${refused}`)
  }
  assert.deepEqual([...document.array('list')], expected)
})

test('undefined and other values of Yjs do no harm', () => {
  const ydoc = new Y.Doc()
  ydoc.getArray('a').push([null, new Uint8Array([1]), -0])
  ydoc.getMap('m').set('u', undefined)
  const document = open('odd values')
  document.applyUpdate(Y.encodeStateAsUpdate(ydoc))
  const values = [...document.array('a')]
  assert.equal(values.length, 3)
  assert.equal(values[0], null)
  assert.deepEqual(values[1], new Uint8Array([1]))
  assert.equal(document.map('m').get('u'), undefined)
  assert.deepEqual([...document.map('m')], [['u', null]])
})
