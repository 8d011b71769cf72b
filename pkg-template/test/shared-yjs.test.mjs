// Shared types against Yjs: what one writes, the other reads.

import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import * as Y from 'yjs'
import { open, withSeeds } from './shared.mjs'

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

test('a delta without formats does the same in both', async () => {
  await withSeeds(60, (next, seed) => {
    const text = open(`deltas ${seed}`).text('text')
    const ydoc = new Y.Doc()
    const theirs = ydoc.getText('text')
    for (let round = 0; round < 12; round += 1) {
      let left = theirs.length
      const delta = []
      while (delta.length < 5) {
        const length = Math.min(1 + next(4), left)
        const kind = next(3)
        if (kind === 0 || length === 0) {
          delta.push({ insert: 'abcd'.slice(next(4)) })
        } else {
          delta.push(kind === 1 ? { retain: length } : { delete: length })
          left -= length
        }
      }
      text.applyDelta(delta)
      theirs.applyDelta(delta)
      assert.deepEqual(joined(text.toDelta()), joined(theirs.toDelta()), JSON.stringify(delta))
    }
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
