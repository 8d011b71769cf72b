import assert from 'node:assert/strict'
import { test } from 'node:test'

import { best, count } from '../src/network.ts'
import { cleanColor, cleanName, describeUser, initials, LONGEST_NAME } from '../src/profile.ts'
import { encodeQr } from '../src/qr.ts'
import { roomName } from '../src/room.ts'

test('the room is what follows the hash sign', () => {
  assert.equal(roomName('#kitchen%20plan'), 'kitchen plan')
  assert.equal(roomName('#100%'), '100%')
  assert.equal(roomName('#'), undefined)
  assert.equal(roomName(`#${'x'.repeat(201)}`), undefined)
})

test('a direct connection is better than a faster relayed one', () => {
  const relayed = { peerId: 'a', transport: 'websocket', direct: false, rtt: 1, bytesSent: 0, bytesReceived: 0 }
  const direct = { ...relayed, transport: 'webrtc', direct: true, rtt: 90 }
  assert.equal(best([relayed, direct]), direct)
  assert.equal(best([]), undefined)
})

test('a byte counter does not run backwards when a connection closes', () => {
  const first = count(undefined, 100)
  assert.equal(first.total, 100)
  const closed = count(first, 30)
  assert.equal(closed.total, 100)
  assert.equal(count(closed, 50).total, 120)
})

test('what others say of themselves is made fit to show', () => {
  assert.equal(cleanName('  Nora\n\u202eSmith '), 'NoraSmith')
  assert.equal(cleanName('x'.repeat(100))?.length, LONGEST_NAME)
  assert.equal(cleanName({}), undefined)
  assert.equal(cleanColor('#AbCdEf'), '#abcdef')
  assert.equal(cleanColor('red;background:url(//evil)'), undefined)
  assert.equal(describeUser('nonsense', 3).name, 'Someone')
  assert.match(describeUser({ color: 7 }, 3).color, /^#[0-9a-f]{6}$/)
})

test('initials come from the first and the last word', () => {
  assert.equal(initials('Nora'), 'N')
  assert.equal(initials('Jan van Eyck'), 'JE')
  assert.equal(initials('🦊 Fox'), '🦊F')
})

test('a QR code has the size its content needs, and none when the content is too long', () => {
  assert.equal(encodeQr('x'.repeat(14))?.length, 21)
  assert.equal(encodeQr('x'.repeat(15))?.length, 25)
  assert.equal(encodeQr('x'.repeat(213))?.length, 57)
  assert.equal(encodeQr('x'.repeat(214)), undefined)
})
