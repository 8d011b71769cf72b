/**
 * QR codes for links: byte mode, error correction level M, versions 1 to 10 (up to 213 bytes). Written from
 * ISO/IEC 18004; it covers what a link needs and nothing more.
 */

/** Rows of dark (true) and light modules, without the quiet zone. */
export type Modules = readonly (readonly boolean[])[]

// Level M, indexed by version - 1.
const TOTAL_CODEWORDS = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346]
const CHECK_PER_BLOCK = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26]
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5]
const ALIGNMENT: readonly (readonly number[])[] = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50],
]

const BYTE_MODE = 0b0100
const LEVEL_M = 0b00

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

/** The code for a text, or nothing when it is too long. */
export function encodeQr(content: string): Modules | undefined {
  const bytes = new TextEncoder().encode(content)
  for (let version = 1; version <= TOTAL_CODEWORDS.length; version++) {
    const capacity = at(TOTAL_CODEWORDS, version) - at(CHECK_PER_BLOCK, version) * at(BLOCKS, version)
    const lengthBits = version < 10 ? 8 : 16
    if (4 + lengthBits + bytes.length * 8 > capacity * 8) continue
    const codewords = withChecks(dataCodewords(bytes, lengthBits, capacity), version)
    return bestMasked(version, codewords)
  }
  return undefined
}

function dataCodewords(bytes: Uint8Array, lengthBits: number, capacity: number): number[] {
  const bits: number[] = []
  const push = (value: number, count: number): void => {
    for (let bit = count - 1; bit >= 0; bit--) bits.push((value >> bit) & 1)
  }
  push(BYTE_MODE, 4)
  push(bytes.length, lengthBits)
  for (const byte of bytes) push(byte, 8)
  push(0, Math.min(4, capacity * 8 - bits.length))
  push(0, (8 - (bits.length % 8)) % 8)
  const words: number[] = []
  for (let start = 0; start < bits.length; start += 8) {
    words.push(bits.slice(start, start + 8).reduce((word, bit) => word * 2 + bit, 0))
  }
  for (let pad = 0xec; words.length < capacity; pad ^= 0xec ^ 0x11) words.push(pad)
  return words
}

/** Splits the data into blocks, adds each one's Reed-Solomon check words, and interleaves them. */
function withChecks(data: readonly number[], version: number): number[] {
  const blockCount = at(BLOCKS, version)
  const checkCount = at(CHECK_PER_BLOCK, version)
  const short = Math.floor(data.length / blockCount)
  const longBlocks = data.length % blockCount // The last ones have a word more.
  const divisor = generator(checkCount)
  const blocks: number[][] = []
  const checks: number[][] = []
  for (let index = 0, start = 0; index < blockCount; index++) {
    const length = short + (index >= blockCount - longBlocks ? 1 : 0)
    const block = data.slice(start, start + length)
    start += length
    blocks.push(block)
    checks.push(remainder(block, divisor))
  }
  const words: number[] = []
  for (const group of [blocks, checks]) {
    const longest = Math.max(...group.map((block) => block.length))
    for (let index = 0; index < longest; index++) {
      for (const block of group) {
        const word = block[index]
        if (word !== undefined) words.push(word)
      }
    }
  }
  return words
}

/** Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d)
    product ^= ((b >> bit) & 1) * a
  }
  return product
}

/** The generator polynomial of this degree, without its leading one. */
function generator(degree: number): number[] {
  const result = new Array<number>(degree).fill(0)
  result[degree - 1] = 1
  let root = 1
  for (let round = 0; round < degree; round++) {
    for (let index = 0; index < degree; index++) {
      result[index] = multiply(result[index] ?? 0, root) ^ (result[index + 1] ?? 0)
    }
    root = multiply(root, 2)
  }
  return result
}

function remainder(data: readonly number[], divisor: readonly number[]): number[] {
  const result = new Array<number>(divisor.length).fill(0)
  for (const word of data) {
    const factor = word ^ (result.shift() ?? 0)
    result.push(0)
    divisor.forEach((coefficient, index) => {
      result[index] = (result[index] ?? 0) ^ multiply(coefficient, factor)
    })
  }
  return result
}

/** A square under construction; fixed modules (finders, timing, format) are left out of data and masking. */
class Square {
  readonly dark: boolean[][]
  readonly fixed: boolean[][]

  constructor(readonly size: number) {
    this.dark = Array.from({ length: size }, () => new Array<boolean>(size).fill(false))
    this.fixed = Array.from({ length: size }, () => new Array<boolean>(size).fill(false))
  }

  get(x: number, y: number): boolean {
    return this.dark[y]?.[x] ?? false
  }

  isFixed(x: number, y: number): boolean {
    return this.fixed[y]?.[x] ?? true
  }

  set(x: number, y: number, dark: boolean): void {
    const row = this.dark[y]
    if (row !== undefined && x >= 0 && x < this.size) row[x] = dark
  }

  fix(x: number, y: number, dark: boolean): void {
    const row = this.fixed[y]
    if (row === undefined || x < 0 || x >= this.size) return
    row[x] = true
    this.set(x, y, dark)
  }
}

function bestMasked(version: number, codewords: readonly number[]): Modules {
  const candidates = MASKS.map((mask, number) => {
    const square = new Square(version * 4 + 17)
    drawFixed(square, version)
    drawFormat(square, number)
    drawData(square, codewords, mask)
    return square
  })
  let best = candidates[0]
  for (const candidate of candidates) {
    if (best === undefined || penalty(candidate) < penalty(best)) best = candidate
  }
  return best?.dark ?? []
}

function drawFixed(square: Square, version: number): void {
  const { size } = square
  for (let index = 0; index < size; index++) {
    square.fix(6, index, index % 2 === 0)
    square.fix(index, 6, index % 2 === 0)
  }
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    rings(square, x, y, 4, (distance) => distance !== 2 && distance !== 4)
  }
  const positions = ALIGNMENT[version - 1] ?? []
  for (const x of positions) {
    for (const y of positions) {
      const inFinder = (x === 6 && (y === 6 || y === size - 7)) || (y === 6 && x === size - 7)
      if (!inFinder) rings(square, x, y, 2, (distance) => distance !== 1)
    }
  }
  if (version < 7) return
  const bits = (version << 12) | checkBits(version, 12, 0x1f25)
  for (let index = 0; index < 18; index++) {
    const dark = ((bits >> index) & 1) === 1
    const near = Math.floor(index / 3)
    const far = size - 11 + (index % 3)
    square.fix(far, near, dark)
    square.fix(near, far, dark)
  }
}

function rings(square: Square, x: number, y: number, radius: number, dark: (distance: number) => boolean): void {
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      square.fix(x + dx, y + dy, dark(Math.max(Math.abs(dx), Math.abs(dy))))
    }
  }
}

function drawFormat(square: Square, mask: number): void {
  const { size } = square
  const data = (LEVEL_M << 3) | mask
  const bits = ((data << 10) | checkBits(data, 10, 0x537)) ^ 0x5412
  const bit = (index: number): boolean => ((bits >> index) & 1) === 1
  for (let index = 0; index < 6; index++) square.fix(8, index, bit(index))
  square.fix(8, 7, bit(6))
  square.fix(8, 8, bit(7))
  square.fix(7, 8, bit(8))
  for (let index = 9; index < 15; index++) square.fix(14 - index, 8, bit(index))
  for (let index = 0; index < 8; index++) square.fix(size - 1 - index, 8, bit(index))
  for (let index = 8; index < 15; index++) square.fix(8, size - 15 + index, bit(index))
  square.fix(8, size - 8, true)
}

/** The remainder of a BCH code. */
function checkBits(data: number, count: number, polynomial: number): number {
  let rest = data
  for (let round = 0; round < count; round++) rest = (rest << 1) ^ ((rest >> (count - 1)) * polynomial)
  return rest & ((1 << count) - 1)
}

/** Two columns at a time, from the right, up and down in turn, skipping the vertical timing pattern. */
function drawData(square: Square, codewords: readonly number[], mask: (x: number, y: number) => boolean): void {
  const { size } = square
  let index = 0
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5
    for (let step = 0; step < size; step++) {
      const upward = ((right + 1) & 2) === 0
      const y = upward ? size - 1 - step : step
      for (const x of [right, right - 1]) {
        if (square.isFixed(x, y)) continue
        const word = codewords[index >> 3] ?? 0
        const bit = ((word >> (7 - (index & 7))) & 1) === 1
        square.set(x, y, bit !== mask(x, y))
        index++
      }
    }
  }
}

/** How hard a code is to read: long runs, blocks of one colour, an uneven share of dark. */
function penalty(square: Square): number {
  const { size } = square
  let points = 0
  let dark = 0
  for (let a = 0; a < size; a++) {
    for (const read of [(b: number) => square.get(b, a), (b: number) => square.get(a, b)]) {
      let run = 0
      for (let b = 0; b < size; b++) {
        run = b > 0 && read(b) === read(b - 1) ? run + 1 : 1
        if (run === 5) points += 3
        else if (run > 5) points += 1
      }
    }
    for (let b = 0; b < size; b++) {
      const here = square.get(b, a)
      if (here) dark++
      const right = b + 1 < size && a + 1 < size
      if (
        right &&
        here === square.get(b + 1, a) &&
        here === square.get(b, a + 1) &&
        here === square.get(b + 1, a + 1)
      ) {
        points += 3
      }
    }
  }
  return points + Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5) * 10
}

function at(table: readonly number[], version: number): number {
  return table[version - 1] ?? 0
}
