import { report } from './errors.js'

/** Events in the manner of Yjs' providers: handlers get the arguments, and `off` removes them. */
export class Observable<Events extends { [Name in keyof Events]: unknown[] }> {
  #handlers: { [Name in keyof Events]?: Set<(...args: Events[Name]) => void> } = {}

  on<Name extends keyof Events>(event: Name, handler: (...args: Events[Name]) => void): typeof handler {
    (this.#handlers[event] ??= new Set()).add(handler)
    return handler
  }

  once<Name extends keyof Events>(event: Name, handler: (...args: Events[Name]) => void): void {
    const once = (...args: Events[Name]): void => {
      this.off(event, once)
      handler(...args)
    }
    this.on(event, once)
  }

  off<Name extends keyof Events>(event: Name, handler: (...args: Events[Name]) => void): void {
    this.#handlers[event]?.delete(handler)
  }

  emit<Name extends keyof Events>(event: Name, args: Events[Name]): void {
    for (const handler of [...(this.#handlers[event] ?? [])]) {
      try {
        handler(...args)
      } catch (error) {
        report(error)
      }
    }
  }

  /** Removes all handlers. */
  destroy(): void {
    this.#handlers = {}
  }
}
