import { VivimError } from '../errors.js'

/** Positions and lengths are numbers of 32 bits in the module. */
const MAX_POSITION = 0xffff_ffff

/** Refuses what isn't a position or a length, which the module would take for another number. */
export function position(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > MAX_POSITION) {
    throw new VivimError('INVALID_ARGUMENT', 'a position or length must be a whole number from 0')
  }
  return value
}

/** Refuses what isn't a string, which the module would take for one. */
export function text(value: string, what: string): string {
  if (typeof value !== 'string') throw new VivimError('INVALID_ARGUMENT', `${what} must be a string`)
  return value
}

/** The index that `Array.prototype.at` means; -1 if there's nothing. */
export function place(index: number, length: number): number {
  const whole = Math.trunc(index) || 0
  const found = whole < 0 ? length + whole : whole
  return found >= 0 && found < length ? found : -1
}

/** The range that `Array.prototype.slice` means. */
export function range(start: number | undefined, end: number | undefined, length: number): { from: number; to: number } {
  const bound = (value: number): number => {
    const whole = Math.trunc(value) || 0
    return whole < 0 ? Math.max(length + whole, 0) : Math.min(whole, length)
  }
  const from = bound(start ?? 0)
  return { from, to: Math.max(bound(end ?? length), from) }
}
