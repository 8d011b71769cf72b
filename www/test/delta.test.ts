import assert from 'node:assert/strict'
import { test } from 'node:test'

import { EditorState } from '@codemirror/state'

import { difference, plain, toChanges } from '../src/delta.ts'
import type { Delta } from '../src/delta.ts'

function applied(before: string, delta: Delta): string {
  const state = EditorState.create({ doc: before, extensions: EditorState.lineSeparator.of('\n') })
  return state.update({ changes: toChanges(delta) }).state.sliceDoc()
}

test('a change of the shared text is the same change of the editor', () => {
  assert.equal(applied('', [{ insert: 'abc' }]), 'abc')
  const delta = [{ retain: 2 }, { delete: 2 }, { insert: 'XYZ' }, { retain: 1 }, { delete: 1 }]
  assert.equal(applied('abcdef', delta), 'abXYZe')
  assert.equal(applied('abc', [{ insert: '1' }, { retain: 3 }, { insert: '2' }]), '1abc2')
})

test('lengths are UTF-16 code units, and other ends of lines count as what they are', () => {
  assert.equal(applied('👩‍🚀!', [{ retain: 5 }, { insert: '?' }]), '👩‍🚀?!')
  assert.equal(applied('a\r\nb', [{ retain: 3 }, { delete: 1 }, { insert: 'c' }]), 'a\r\nc')
})

test('a value that is no text takes one place', () => {
  const delta: Delta = [{ insert: 'a' }, { insert: { image: 'x' } }, { insert: 'b' }]
  assert.equal(plain(delta).length, 3)
  assert.equal(applied('xy', [{ retain: 1 }, { insert: { image: 'x' } }]).length, 3)
})

test('the difference of two texts makes one of the other', () => {
  const texts = ['', 'a', 'ab', 'ba', 'aaa', 'aabaa', 'abcabc', 'xabcabcx']
  for (const before of texts) {
    for (const after of texts) {
      const found = difference(before, after)
      if (found === undefined) assert.equal(before, after)
      else assert.equal(before.slice(0, found.from) + found.insert + before.slice(found.to), after)
    }
  }
})
