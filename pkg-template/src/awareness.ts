import type { RawDocument } from '../wasm/vivim_wasm.js'
import { VivimError } from './errors.js'
import { Observable } from './observable.js'
import { call } from './runtime.js'

/** What a device says of itself: its user's name, colour, cursor. Plain values. */
export interface AwarenessState {
  [field: string]: unknown
}

/** Whose states came, changed and went, by client id. */
export interface AwarenessChange {
  added: number[]
  updated: number[]
  removed: number[]
}

/** The events of an {@link DocumentAwareness}, with their handlers' arguments, as in y-protocols. */
export interface AwarenessEvents {
  /** Somebody's state is another. */
  change: [AwarenessChange, 'local' | 'remote']
  /** The same; y-protocols also tells here of states that were only confirmed. */
  update: [AwarenessChange, 'local' | 'remote']
}

/**
 * Who is there in a document: a state for each opening of it, gone when its device goes. What peers
 * get is y-protocols' own, so `Y.Doc`s behind a `VivimProvider` see it and are seen.
 */
export class DocumentAwareness extends Observable<AwarenessEvents> {
  /** The client id of this opening. */
  readonly clientID: number
  readonly #raw: RawDocument
  #local: AwarenessState | null = {}

  private constructor(raw: RawDocument) {
    super()
    this.#raw = raw
    this.clientID = raw.clientId
  }

  /** @internal */
  static create(raw: RawDocument): DocumentAwareness {
    return new DocumentAwareness(raw)
  }

  /** What this device says of itself; null if it doesn't show itself. */
  getLocalState(): AwarenessState | null {
    return this.#local === null ? null : { ...this.#local }
  }

  /**
   * Says something of this device, or null to be seen no more. The field `device` is added: it is what
   * vector clocks are keyed by.
   *
   * @throws VivimError `INVALID_ARGUMENT` for what isn't JSON, `TOO_LARGE`.
   */
  setLocalState(state: AwarenessState | null): void {
    if (state !== null && (typeof state !== 'object' || Array.isArray(state))) {
      throw new VivimError('INVALID_ARGUMENT', 'an awareness state must be an object, or null')
    }
    const json = state === null ? undefined : JSON.stringify(state)
    call(() => this.#raw.setAwareness(json))
    this.#local = state === null ? null : { ...state }
  }

  /** Sets one field of this device's state. */
  setLocalStateField(field: string, value: unknown): void {
    this.setLocalState({ ...this.#local, [field]: value })
  }

  /** The states of everybody who is there, this device's too, by client id. */
  getStates(): Map<number, AwarenessState> {
    return new Map(this.#entries().map(({ client, state }) => [client, state]))
  }

  /** {@link getStates}, as a property. */
  get states(): Map<number, AwarenessState> {
    return this.getStates()
  }

  /** What the openings of one peer say, together; undefined if it says nothing. */
  stateOf(peerId: string): AwarenessState | undefined {
    const states = this.#entries().filter(entry => entry.peerId === peerId).map(entry => entry.state)
    return states.length === 0 ? undefined : Object.assign({}, ...states) as AwarenessState
  }

  #entries(): { client: number; state: AwarenessState; peerId: string | undefined }[] {
    return call(() => this.#raw.awareness()).flatMap(([client, json, peerId]) => {
      const state = JSON.parse(json) as unknown
      // Others may say anything; what isn't a record has no fields.
      return typeof state === 'object' && state !== null ? [{ client, state: state as AwarenessState, peerId }] : []
    })
  }

  /** @internal */
  changed(change: AwarenessChange): void {
    const all = [...change.added, ...change.updated, ...change.removed]
    const origin = all.length === 1 && all[0] === this.clientID ? 'local' : 'remote'
    this.emit('change', [change, origin])
    this.emit('update', [change, origin])
  }
}
