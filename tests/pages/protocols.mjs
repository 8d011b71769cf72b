// The two test protocols and what is measured on them, the same for every system under test.

/** Sends back what it gets until the other side has finished writing. */
export const ECHO = '/vivim-test/echo/1.0.0'
/** Reads to the end, then answers with the number of bytes as 8 big-endian bytes. */
export const SINK = '/vivim-test/sink/1.0.0'
/** The size of one write in the push measurement. */
export const CHUNK = 16 * 1024 - 7

/**
 * A stream as the measurements see it; each page wraps its own library's streams in this.
 * @typedef {object} Duplex
 * @property {(bytes: Uint8Array) => Promise<void>} write waits while the stream is full
 * @property {() => Promise<Uint8Array | undefined>} read the next bytes, `undefined` at the end
 * @property {() => Promise<void>} closeWrite
 */

/** @param {Duplex} stream */
export async function serveEcho(stream) {
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) await stream.write(bytes)
  await stream.closeWrite()
}

/** @param {Duplex} stream */
export async function serveSink(stream) {
  let total = 0
  for (let bytes = await stream.read(); bytes; bytes = await stream.read()) total += bytes.length
  const answer = new Uint8Array(8)
  new DataView(answer.buffer).setBigUint64(0, BigInt(total))
  await stream.write(answer)
  await stream.closeWrite()
}

/**
 * @param {Duplex} stream
 * @param {number} length
 * @returns {Promise<Uint8Array>} exactly `length` bytes
 */
export async function readExact(stream, length) {
  const all = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const bytes = await stream.read()
    if (!bytes) throw new Error(`the stream ended after ${at} of ${length} bytes`)
    all.set(bytes, at)
    at += bytes.length
  }
  return all
}

/**
 * @param {Duplex} stream
 * @param {number} rounds
 * @returns {Promise<{ p50: number, p95: number }>} milliseconds of a 100-byte round trip
 */
export async function measureEcho(stream, rounds) {
  const message = new Uint8Array(100).fill(7)
  /** @type {number[]} */
  const times = []
  for (let round = 0; round < rounds + WARM_UP; round++) {
    const start = performance.now()
    await stream.write(message)
    await readExact(stream, message.length)
    if (round >= WARM_UP) times.push(performance.now() - start)
  }
  await stream.closeWrite()
  times.sort((a, b) => a - b)
  return { p50: times[Math.floor(times.length * 0.5)], p95: times[Math.floor(times.length * 0.95)] }
}

/** Round trips before counting begins, so that every engine has compiled its hot path. */
const WARM_UP = 50

/**
 * @param {Duplex} stream
 * @param {number} size
 * @returns {Promise<number>} milliseconds until the other side has confirmed the last byte
 */
export async function measurePush(stream, size) {
  const chunk = new Uint8Array(CHUNK).fill(3)
  const start = performance.now()
  for (let sent = 0; sent < size; sent += chunk.length) {
    await stream.write(sent + chunk.length > size ? chunk.subarray(0, size - sent) : chunk)
  }
  await stream.closeWrite()
  const answer = await readExact(stream, 8)
  const took = performance.now() - start
  const arrived = Number(new DataView(answer.buffer).getBigUint64(0))
  if (arrived !== size) throw new Error(`${arrived} of ${size} bytes arrived`)
  return took
}

/**
 * @param {Duplex} stream
 * @param {number} size
 * @returns {Promise<boolean>} whether `size` patterned bytes came back unchanged, read while being written, after a
 * half-close
 */
export async function transfer(stream, size) {
  const sent = Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) & 0xff)
  const write = async () => {
    for (let at = 0; at < size; at += 10_000) await stream.write(sent.subarray(at, at + 10_000))
    await stream.closeWrite()
  }
  const [back] = await Promise.all([readExact(stream, size), write()])
  if ((await stream.read()) !== undefined) throw new Error('more came back than was sent')
  return back.every((byte, index) => byte === sent[index])
}
