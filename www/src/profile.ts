/** Who the writer is to the others: a name, which is kept, and a colour. */

/** What others see beside your cursor. */
export interface Profile {
  readonly name: string
  readonly color: string
}

/** Characters. Long enough for a name, short enough for a cursor's label. */
export const LONGEST_NAME = 24

/** Dark enough for white text on them, and apart from each other on white and on near-black. */
export const COLORS = [
  '#2563eb',
  '#c2410c',
  '#15803d',
  '#be185d',
  '#7c3aed',
  '#0e7490',
  '#a16207',
  '#9f1239',
  '#4d7c0f',
  '#475569',
] as const

const NAME_KEY = 'vivim.name'
const TAB_KEY = 'vivim.tab'

const QUALITIES = [
  'Amber', 'Brisk', 'Calm', 'Clever', 'Copper', 'Early', 'Gentle', 'Hazel', 'Keen', 'Lively', 'Lucky', 'Mellow',
  'Mossy', 'Nimble', 'Quiet', 'Ruby', 'Silver', 'Sunny', 'Swift', 'Tidal', 'Velvet', 'Wild', 'Winter', 'Witty',
]
const ANIMALS = [
  'Badger', 'Bee', 'Crane', 'Dolphin', 'Falcon', 'Finch', 'Fox', 'Gecko', 'Hare', 'Heron', 'Ibex', 'Koala', 'Lark',
  'Lynx', 'Magpie', 'Marten', 'Newt', 'Otter', 'Owl', 'Panda', 'Puffin', 'Raven', 'Robin', 'Seal', 'Stoat', 'Swan',
  'Tern', 'Wren', 'Yak',
]

/**
 * The profile of this tab. A name you chose is kept for all tabs. A random one is kept for the tab only: two tabs of
 * one browser, the way most people try this, are then two different people.
 */
export function loadProfile(): Profile {
  const tab = readTab()
  const profile = {
    name: cleanName(read(() => localStorage, NAME_KEY)) ?? tab?.name ?? `${pick(QUALITIES)} ${pick(ANIMALS)}`,
    color: tab?.color ?? pick(COLORS),
  }
  write(() => sessionStorage, TAB_KEY, JSON.stringify(profile))
  return profile
}

/** Keeps a name the writer typed. */
export function saveName(profile: Profile): void {
  write(() => localStorage, NAME_KEY, profile.name)
  write(() => sessionStorage, TAB_KEY, JSON.stringify(profile))
}

/** A colour nobody in the room has yet, or any when all are taken. */
export function freeColor(taken: ReadonlySet<string>): string {
  const free = COLORS.filter((color) => !taken.has(color))
  return pick(free.length > 0 ? free : COLORS)
}

/** A name fit to show, from anything. */
export function cleanName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const name = value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').replace(/\s+/gu, ' ').trim()
  return name === '' ? undefined : Array.from(name).slice(0, LONGEST_NAME).join('').trim()
}

/** A colour fit to put into a style, from anything. */
export function cleanColor(value: unknown): string | undefined {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value) ? value.toLowerCase() : undefined
}

/** A profile from what somebody says about themselves, which may be anything. */
export function describeUser(user: unknown, clientId: number): Profile {
  const described = typeof user === 'object' && user !== null ? user : {}
  return {
    name: cleanName('name' in described ? described.name : undefined) ?? 'Someone',
    color:
      cleanColor('color' in described ? described.color : undefined) ?? COLORS[clientId % COLORS.length] ?? COLORS[0],
  }
}

/** One or two letters for a small circle. */
export function initials(name: string): string {
  const words = name.split(' ').filter((word) => word !== '')
  const first = Array.from(words[0] ?? '?')[0] ?? '?'
  const last = words.length > 1 ? (Array.from(words[words.length - 1] ?? '')[0] ?? '') : ''
  return (first + last).toUpperCase()
}

function readTab(): Profile | undefined {
  try {
    const kept: unknown = JSON.parse(read(() => sessionStorage, TAB_KEY) ?? 'null')
    if (typeof kept !== 'object' || kept === null) return undefined
    const name = cleanName('name' in kept ? kept.name : undefined)
    const color = cleanColor('color' in kept ? kept.color : undefined)
    return name !== undefined && color !== undefined ? { name, color } : undefined
  } catch {
    return undefined
  }
}

// Storage may be forbidden (private mode, blocked cookies), and then even naming it throws. The page works without.

function read(storage: () => Storage, key: string): string | null {
  try {
    return storage().getItem(key)
  } catch {
    return null
  }
}

function write(storage: () => Storage, key: string, value: string): void {
  try {
    storage().setItem(key, value)
  } catch {
    // Nothing depends on it.
  }
}

function pick<T>(items: readonly T[]): T {
  const index = Math.floor(Math.random() * items.length)
  return items[index] as T
}
