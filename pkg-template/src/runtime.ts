// The WebAssembly instance: loaded once, and never used again after a panic, which is a trap.

import instantiate, * as glue from '../wasm/vivim_wasm.js'
import { toVivimError, VivimError } from './errors.js'
import { expectRest, loadRest, restArrived } from './rest.js'
import type { InitInput } from './types.js'
import { VERSION } from './version.js'

type Wasm = typeof glue

let loading: Promise<void> | undefined
let ready = false
let death: VivimError | undefined
/** Calls whose promises would stay open for ever after a panic. */
const pending = new Set<(error: VivimError) => void>()
const mourners = new Set<(error: VivimError) => void>()

/** The module in two files: the second is loaded behind the first. */
export interface Halves {
  start: URL
  rest: URL
}

/** Loads the module once, however often and from wherever it's called. A failed load can be retried. */
export function load(source: () => InitInput | Promise<InitInput>): Promise<void> {
  return once(() => instantiateFrom(source))
}

/** Like {@link load}, in two files. */
export function loadHalves({ start, rest }: Halves): Promise<void> {
  return once(async () => {
    expectRest(rest)
    await instantiateFrom(() => start)
    const arrival = loadRest(rest)
    // Where nothing can be loaded in the middle of a call, it must be there before the first.
    if (typeof XMLHttpRequest === 'undefined') await arrival
  })
}

/** Resolves when all of the module is there. */
export async function arrived(): Promise<void> {
  await loading
  await restArrived()
}

function once(begin: () => Promise<void>): Promise<void> {
  loading ??= begin().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

async function instantiateFrom(source: () => InitInput | Promise<InitInput>): Promise<void> {
  if (typeof WebAssembly === 'undefined') {
    throw new VivimError('WASM_LOAD', 'this browser has no WebAssembly')
  }
  const input = await source()
  try {
    await instantiate({ module_or_path: await fetched(input) })
  } catch (error) {
    throw explain(error, input)
  }
  if (glue.version() !== VERSION) {
    throw new VivimError('VERSION_MISMATCH',
      `the WebAssembly file is of version ${glue.version()}, the JavaScript of ${VERSION}; serve both from one package`)
  }
  glue.setTrapHandler(die)
  ready = true
  rehearse()
}

/** What has to be left of an idle moment of 50 ms for another step of the rehearsal: nobody may feel it. */
const IDLE_MS = 16

/** After this long without a call in either direction the module counts as having nothing to do again. */
const QUIET_MS = 250

/** Calls of the facade into the module. */
let calls = 0

/**
 * While the page and the module have nothing to do, the engine writes and opens a made-up document: a browser compiles
 * well what is called often, and the first large document opens in a third of the time.
 *
 * A moment that is idle for the browser may be one in which a connection is being made or a document comes from the
 * disk: a step would be in the way of what it is for.
 */
function rehearse(seen = activity()): void {
  // Safari has no idle moments, and a worker: they do without.
  if (typeof requestIdleCallback !== 'function') return
  requestIdleCallback(idle => {
    if (activity() !== seen) return rehearseLater()
    while (death === undefined && idle.timeRemaining() > IDLE_MS) {
      if (!call(() => glue.rehearse())) return
    }
    if (death === undefined) rehearse()
  })
}

function rehearseLater(): void {
  const seen = activity()
  setTimeout(() => {
    if (death !== undefined) return
    if (activity() === seen) rehearse(seen)
    else rehearseLater()
  }, QUIET_MS)
}

function activity(): number {
  return calls + glue.callbacks()
}

type Instantiable = Response | BufferSource | WebAssembly.Module

async function fetched(input: InitInput): Promise<Instantiable> {
  if (typeof input !== 'string' && !(input instanceof URL) && !(typeof Request === 'function' && input instanceof Request)) {
    return input
  }
  const response = await fetch(input)
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`)
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) {
    throw new Error('the server answered with a page of HTML instead of the file')
  }
  return response
}

function explain(error: unknown, input: InitInput): VivimError {
  if (error instanceof VivimError) return error
  if (isWasmBlocked()) {
    return new VivimError('WASM_BLOCKED',
      "the content security policy of this page forbids WebAssembly: add 'wasm-unsafe-eval' to script-src", { cause: error })
  }
  const from = typeof input === 'string' || input instanceof URL ? ` from ${input.toString()}` : ''
  const reason = error instanceof Error ? error.message : String(error)
  return new VivimError('WASM_LOAD',
    `cannot load the WebAssembly module${from}: ${reason}. If a bundler moved the JavaScript away from it, tell it not to ` +
    "(Vite before 8: optimizeDeps.exclude = ['vivim-wasm']) or pass its address to init()", { cause: error })
}

/** Tries to compile the smallest module there is. */
function isWasmBlocked(): boolean {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
    return false
  } catch {
    return true
  }
}

function die(trap: WebAssembly.RuntimeError): void {
  if (death !== undefined) return
  death = new VivimError('PANICKED',
    `VIVIM has crashed (${trap.message}) and does nothing any more; reload the page`, { cause: trap })
  console.error(death.message, trap)
  // Later: Rust may still be on the stack.
  queueMicrotask(() => {
    const error = death
    if (error === undefined) return
    for (const reject of pending) reject(error)
    pending.clear()
    for (const mourner of mourners) mourner(error)
  })
}

/** Who is told of a panic. */
export function onPanic(mourner: (error: VivimError) => void): () => void {
  mourners.add(mourner)
  return () => void mourners.delete(mourner)
}

/** The instance's exports. */
export function wasm(): Wasm {
  if (death !== undefined) throw death
  if (!ready) throw new VivimError('NOT_INITIALIZED', "call `await init()` of 'vivim-wasm' first")
  return glue
}

/** Calls into the module; what it throws becomes a {@link VivimError}. */
export function call<T>(f: () => T): T {
  if (death !== undefined) throw death
  calls++
  try {
    return f()
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) die(error)
    throw death ?? toVivimError(error)
  }
}

/** Like {@link call} for what answers later. */
export function callAsync<T>(f: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    pending.add(reject)
    const settle = (): void => void pending.delete(reject)
    try {
      call(f).then(
        value => { settle(); resolve(value) },
        (error: unknown) => { settle(); reject(death ?? toVivimError(error)) })
    } catch (error) {
      settle()
      reject(error)
    }
  })
}
