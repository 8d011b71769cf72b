import assert from 'node:assert/strict'
import { test } from 'node:test'

import { describeKeeping, people } from '../src/keeping.ts'
import type { Keeping, Stage, Standing } from '../src/keeping.ts'

const ALONE: Standing = {
  loaded: true,
  storage: 'kept',
  saving: false,
  local: 3,
  unsynced: 0,
  with: [],
  storedBy: [],
  storedElsewhere: false,
}

function keeping(standing: Partial<Standing>): Keeping {
  return describeKeeping({ ...ALONE, ...standing })
}

function stage(id: Stage['id'], standing: Partial<Standing>): Stage {
  const found = keeping(standing).stages.find((stage) => stage.id === id)
  assert.ok(found)
  return found
}

test('what nobody else has is counted in words, in the singular, too', () => {
  assert.equal(stage('people', { unsynced: 1 }).text, '1 change not yet with anybody')
  assert.equal(stage('people', { unsynced: 1 }).state, 'waiting')
  assert.equal(stage('people', { unsynced: 1_200 }).text, '1,200 changes not yet with anybody')
})

test('those who are here and have all of it are named', () => {
  assert.equal(stage('people', { with: ['Bob'] }).text, 'With Bob')
  assert.equal(stage('people', { with: ['Bob', 'Eve'] }).text, 'With Bob and Eve')
  assert.equal(stage('people', { with: ['Bob', 'Eve', 'Sam'] }).text, 'With 3 people')
  assert.equal(stage('stored', { with: ['Bob'], storedBy: ['Bob'] }).text, 'Stored by Bob')
})

test('what others took along when they left still counts', () => {
  assert.equal(stage('people', {}).text, 'Others have all of it')
  assert.equal(stage('stored', { storedElsewhere: true }).text, 'Stored by others')
})

test('a text in which nothing was written is not said to be with others', () => {
  assert.equal(stage('people', { local: 0 }).state, 'open')
  assert.equal(stage('stored', { local: 0, storedElsewhere: true }).state, 'open')
})

test('what is not saved is never said to be', () => {
  for (const storage of ['none', 'failed', 'deleted'] as const) {
    assert.equal(stage('device', { storage }).state, 'failed')
    assert.doesNotMatch(keeping({ storage, unsynced: 2 }).short, /^Saved/)
  }
  assert.equal(stage('device', { saving: true }).text, 'Saving')
  assert.equal(stage('device', { loaded: false }).text, 'Opening')
})

test('in few words, what is missing comes before what is done', () => {
  assert.equal(keeping({ with: ['Bob'] }).short, 'Saved on this device · With Bob')
  assert.equal(keeping({ unsynced: 2 }).short, '2 changes not yet with anybody')
  assert.equal(keeping({ unsynced: 2, storage: 'failed' }).short, 'Not saved: the storage of this browser failed')
  assert.equal(keeping({}).short, 'Saved on this device')
})

test('two people of one name are two people', () => {
  assert.equal(people(['Bob', 'Bob']), '2 people')
})
