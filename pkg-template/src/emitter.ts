import { report } from './errors.js'

/** Calls handlers by event name. A handler that throws hurts nobody else. */
export class Emitter<Events extends object> {
  #handlers: { [Name in keyof Events]?: Set<(detail: Events[Name]) => void> } = {}

  /** Adds a handler; gives the function that removes it. */
  on<Name extends keyof Events>(event: Name, handler: (detail: Events[Name]) => void): () => void {
    if (typeof handler !== 'function') throw new TypeError('the handler of an event must be a function')
    // A wrapper of its own, so that the same function can be added twice and removed once.
    const entry = (detail: Events[Name]): void => handler(detail)
    const handlers = (this.#handlers[event] ??= new Set())
    handlers.add(entry)
    return () => void handlers.delete(entry)
  }

  emit<Name extends keyof Events>(event: Name, detail: Events[Name]): void {
    // A copy: handlers may add and remove handlers.
    for (const handler of [...(this.#handlers[event] ?? [])]) {
      try {
        handler(detail)
      } catch (error) {
        report(error)
      }
    }
  }
}
