// What the tests of shared types have in common: documents of one running node, seeded chance.

import { after, before } from 'node:test'
import init, { NetworkNode, VivimError } from 'vivim-wasm'

let node
let room
before(async () => {
  await init()
  node = new NetworkNode()
  await node.start()
  room = await node.joinRoom('shared types')
})
after(() => node.stop())

/** A fresh document. */
export const open = name => room.document(name)

/** What `assert.throws` needs to see this error. */
export const code = code => error => error instanceof VivimError && error.code === code

/** Everything that was scheduled has run. */
export const settled = () => new Promise(resolve => setTimeout(resolve))

/** Numbers from 0 up to and without `n`, the same for the same seed (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0
  return n => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (((t ^ (t >>> 14)) >>> 0) % 0xffff_ffff) % n
  }
}

/** The seeds of a test: that of the environment, or as many as asked for. */
export function seeds(count) {
  const given = process.env.VIVIM_SEED
  return given === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(given)]
}

/** Runs the body for each seed and says which one failed. */
export async function withSeeds(count, body) {
  for (const seed of seeds(count)) {
    try {
      await body(chance(seed), seed)
    } catch (error) {
      throw new Error(`with VIVIM_SEED=${seed}: ${error.message}`, { cause: error })
    }
  }
}

/** What changes of a text make of a string, as far as it's only text. */
export function applyDelta(string, delta) {
  let out = ''
  let at = 0
  for (const op of delta) {
    if (op.retain !== undefined) {
      out += string.slice(at, at + op.retain)
      at += op.retain
    } else if (op.delete !== undefined) at += op.delete
    else out += op.insert
  }
  return out + string.slice(at)
}

/** What changes of a list make of an array. */
export function applyListDelta(list, delta) {
  const out = []
  let at = 0
  for (const op of delta) {
    if (op.retain !== undefined) {
      out.push(...list.slice(at, at + op.retain))
      at += op.retain
    } else if (op.delete !== undefined) at += op.delete
    else out.push(...op.insert)
  }
  return [...out, ...list.slice(at)]
}
