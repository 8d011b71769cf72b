/** Where the writer's words are: on this device, with others, stored by others. In words a person understands. */

/** How this device's storage is doing. */
export type Storage = 'kept' | 'none' | 'failed' | 'deleted'

/** What is known of where the changes made here have got. */
export interface Standing {
  /** The document was read from storage. */
  readonly loaded: boolean
  readonly storage: Storage
  /** Something isn't durable yet, and hasn't been for long enough to say so. */
  readonly saving: boolean
  /** Changes made here, ever. */
  readonly local: number
  /** How many of them nobody else has. */
  readonly unsynced: number
  /** Names of those who are here and have all of them. */
  readonly with: readonly string[]
  /** Of those, the ones that have stored them, too. */
  readonly storedBy: readonly string[]
  /** Somebody has stored all of them, here or gone by now. */
  readonly storedElsewhere: boolean
}

/** A stage on the way of a change. */
export interface Stage {
  readonly id: 'device' | 'people' | 'stored'
  readonly state: 'done' | 'busy' | 'waiting' | 'open' | 'failed'
  readonly text: string
}

/** All of it. */
export interface Keeping {
  readonly stages: readonly Stage[]
  /** For where there is room for a few words only. */
  readonly short: string
  readonly unsynced: number
}

/** Describes where the changes are. */
export function describeKeeping(standing: Standing): Keeping {
  const device = onDevice(standing)
  const people = withPeople(standing)
  const stages = [device, people, stored(standing)]
  const words = standing.unsynced > 0 && device.state !== 'failed' ? [people] : [device]
  if (standing.unsynced === 0 && device.state === 'done' && standing.with.length > 0) words.push(people)
  const short = words.map(({ text }) => text).join(' · ')
  return { stages, short, unsynced: standing.unsynced }
}

/** `2 changes not yet with anybody`. */
export function waiting(changes: number): string {
  return `${changes === 1 ? '1 change' : `${changes.toLocaleString('en')} changes`} not yet with anybody`
}

function onDevice({ loaded, storage, saving }: Standing): Stage {
  const id = 'device'
  switch (storage) {
    case 'none':
      return { id, state: 'failed', text: 'Not saved: this browser has no storage' }
    case 'failed':
      return { id, state: 'failed', text: 'Not saved: the storage of this browser failed' }
    case 'deleted':
      return { id, state: 'failed', text: 'Removed from this device in another tab' }
    case 'kept':
      if (!loaded) return { id, state: 'busy', text: 'Opening' }
      return saving ? { id, state: 'busy', text: 'Saving' } : { id, state: 'done', text: 'Saved on this device' }
  }
}

function withPeople(standing: Standing): Stage {
  const id = 'people'
  if (standing.unsynced > 0) return { id, state: 'waiting', text: waiting(standing.unsynced) }
  if (standing.with.length > 0) return { id, state: 'done', text: `With ${people(standing.with)}` }
  if (standing.local === 0) return { id, state: 'open', text: 'Not with anybody else' }
  return { id, state: 'done', text: 'Others have all of it' }
}

function stored({ local, unsynced, storedBy, storedElsewhere }: Standing): Stage {
  const id = 'stored'
  if (storedBy.length > 0) return { id, state: 'done', text: `Stored by ${people(storedBy)}` }
  if (storedElsewhere && local > 0 && unsynced === 0) return { id, state: 'done', text: 'Stored by others' }
  return { id, state: 'open', text: 'Stored by nobody else yet' }
}

/** `Bob`, `Bob and Eve`, `3 people`. */
export function people(names: readonly string[]): string {
  const [one, two] = names
  if (names.length === 1 && one !== undefined) return one
  if (names.length === 2 && one !== undefined && two !== undefined && one !== two) return `${one} and ${two}`
  return `${names.length} people`
}
