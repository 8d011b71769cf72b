// Item 14: 1,000 seeded schedules of five replicas, two or three of them in Rust and the others npm Yjs, with offline
// periods, reordering and duplication, end with identical JSON, state vectors and delete sets everywhere.
//
// VIVIM_SCHEDULES is the number of schedules, VIVIM_SEED the first seed.

import { strict as assert } from 'node:assert'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { unpackedPackage } from '../lib/build.mjs'
import { REPLICAS, clocks, deletions, random, run, rustReplica, yjsReplica } from './schedules.mjs'

const SCHEDULES = Number(process.env.VIVIM_SCHEDULES ?? 1000)
const FIRST = Number(process.env.VIVIM_SEED ?? 1)

/** @type {any} */
let node
/** @type {any} */
let room

before(async () => {
  const { dir } = unpackedPackage()
  const { default: init, NetworkNode } = await import(pathToFileURL(join(dir, 'dist/node.js')).href)
  await init()
  node = new NetworkNode({})
  await node.start()
  room = await node.joinRoom('schedules')
})
after(() => node.stop())

/** @param {number} seed @param {number} index */
const rustDocument = (seed, index) => rustReplica(room.document(`${seed}/${index}`))

/** @param {number} seed */
async function schedule(seed) {
  const next = random(seed)
  const inRust = 2 + next(2)
  const replicas = Array.from({ length: REPLICAS }, (_, index) =>
    index < inRust ? rustDocument(seed, index) : yjsReplica(next(2 ** 30) + 1),
  )
  await run(next, replicas, seed % 4 === 0)
  // The whole state, loaded by one of the other kind that knew nothing.
  const last = replicas.length - 1
  const loaded = [yjsReplica(1), rustDocument(seed, replicas.length)]
  await loaded[0].apply(replicas[0].state())
  await loaded[1].apply(replicas[last].state())
  const everybody = [...replicas, ...loaded]
  const [first, ...others] = everybody.map((replica) => ({
    content: replica.content(),
    clocks: clocks(replica.vector()),
    deletions: deletions(replica.state()),
  }))
  others.forEach((other, at) => assert.deepEqual(other, first, `replica ${at + 1}, ${everybody[at + 1].kind}`))
  await Promise.all(everybody.map((replica) => replica.close()))
}

test(`item 14: ${SCHEDULES} schedules of ${REPLICAS} replicas, Yrs and Yjs, from seed ${FIRST} on, end equal`, async (t) => {
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    await schedule(seed).catch((error) => {
      throw new Error(`seed ${seed} (repeat it with VIVIM_SEED=${seed} VIVIM_SCHEDULES=1): ${error.message}`, { cause: error })
    })
  }
  t.diagnostic(`seeds ${FIRST} to ${FIRST + SCHEDULES - 1}`)
})
