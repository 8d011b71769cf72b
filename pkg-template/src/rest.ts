// The second file of the module: what a page doesn't need until it's connected and in sync. It's loaded behind the
// first, or at once, when a function of it is called before.

import * as glue from '../wasm/vivim_wasm.js'

/** Milliseconds until the first new attempt; each later one waits twice as long. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000

let arrival: Promise<void> | undefined

/** Has the first file load the second from here when it needs it. To be called before the first is instantiated. */
export function expectRest(url: URL): void {
  glue.setRestLoader(() => loadNow(url))
}

/** Loads the second file, if there is one, and tries again until it's there. */
export function loadRest(url: URL): Promise<void> {
  return arrival ??= load(url)
}

/** Resolves when all of the module is there. */
export function restArrived(): Promise<void> {
  return arrival ?? Promise.resolve()
}

async function load(url: URL): Promise<void> {
  for (let wait = FIRST_RETRY_MS; glue.lacksRest(); wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
    try {
      const response = await fetch(url, { priority: 'low' })
      if (!response.ok) throw new Error(`the server answered ${response.status}`)
      await join(await compile(response))
      return
    } catch (error) {
      console.warn(`VIVIM: ${url.href} isn't there yet`, error)
      await new Promise(resolve => setTimeout(resolve, wait))
    }
  }
}

async function compile(response: Response): Promise<WebAssembly.Module> {
  // Not every server knows the type that streaming asks for.
  return response.headers.get('content-type') === 'application/wasm'
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer())
}

async function join(module: WebAssembly.Module): Promise<void> {
  await WebAssembly.instantiate(module, glue.restImports())
  glue.restIsThere()
}

/**
 * A function of the second file is being called: nothing else can happen before that is there. What is thrown here ends
 * the instance, since Rust is on the stack.
 */
function loadNow(url: URL): void {
  try {
    // Twice does no harm: the file has functions and no state.
    new WebAssembly.Instance(new WebAssembly.Module(fetchNow(url)), glue.restImports())
    glue.restIsThere()
  } catch (error) {
    throw Object.assign(new WebAssembly.RuntimeError(`a part of it could not be loaded from ${url.href}`), { cause: error })
  }
}

function fetchNow(url: URL): Uint8Array<ArrayBuffer> {
  const request = new XMLHttpRequest()
  request.open('GET', url, false)
  // A page that doesn't return to its event loop gets no bytes, but text: here each character is one.
  request.overrideMimeType('text/plain; charset=x-user-defined')
  request.send()
  if (request.status !== 200) throw new Error(`the server answered ${request.status}`)
  return Uint8Array.from(request.responseText, character => character.charCodeAt(0))
}
