import { arrived } from './runtime.js'

/**
 * Resolves when all of the module is there: at once if it was loaded as one file. Nobody has to wait for it. A call of
 * what isn't there yet loads it, but blocks the page until it has, so an application that begins with typed documents,
 * or with a file to import, does better to await it.
 */
export function whole(): Promise<void> {
  return arrived()
}
