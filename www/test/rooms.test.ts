import assert from 'node:assert/strict'
import { test } from 'node:test'

import { describeOpened, listRooms, parseNotes, titleOf } from '../src/rooms.ts'

test('a text is called by its first line that says something', () => {
  assert.equal(titleOf('\n\n  # Picnic on Saturday\nBy the river'), 'Picnic on Saturday')
  assert.equal(titleOf('   \n'), '')
  assert.equal(titleOf('x'.repeat(200)).length, 60)
})

test('the list has the open text first, then the others by when they were opened', () => {
  const kept = ['a', 'b', 'c'].map((room, index) => ({ room, nameInRoom: 'default', opened: index }))
  const notes = new Map([
    ['a', { title: 'A', unsynced: 2, opened: 10 }],
    ['b', { title: 'B', unsynced: 0, opened: 5 }],
  ])
  const rooms = listRooms(kept, notes, 'b')
  assert.deepEqual(rooms.map(({ room, title, unsynced, current }) => [room, title, unsynced, current]), [
    ['b', 'B', 0, true],
    ['a', 'A', 2, false],
    ['c', '', 0, false],
  ])
})

test('rooms in which nothing was written, and documents that are no texts of this page, are left out', () => {
  const notes = new Map([['empty', { title: '', unsynced: 0, opened: 1 }]])
  const kept = [
    { room: 'empty', nameInRoom: 'default', opened: 1 },
    { room: 'a', nameInRoom: 'settings', opened: 1 },
  ]
  assert.deepEqual(listRooms(kept, notes, 'here').map(({ room }) => room), ['here'])
})

test('notes are read from anything', () => {
  assert.equal(parseNotes(null).size, 0)
  assert.equal(parseNotes('[1, null]').size, 0)
  assert.equal(parseNotes('{"a": {"title": 1}, "b": null}').size, 0)
  assert.deepEqual([...parseNotes('{"a": {"title": "A", "unsynced": 1, "opened": 2, "more": 3}}')], [
    ['a', { title: 'A', unsynced: 1, opened: 2 }],
  ])
})

test('when a text was open is said as people say it', () => {
  const now = new Date(2026, 10, 21, 12, 0).getTime()
  const minutes = (count: number): string => describeOpened(now - count * 60_000, now)
  assert.equal(minutes(0), 'Just now')
  assert.equal(minutes(1), 'A minute ago')
  assert.equal(minutes(59), '59 minutes ago')
  assert.equal(minutes(3 * 60), '3 hours ago')
  assert.equal(minutes(13 * 60), 'Yesterday')
  assert.equal(minutes(3 * 24 * 60), '18 November')
  assert.equal(describeOpened(new Date(2025, 1, 3).getTime(), now), '3 February 2025')
})
