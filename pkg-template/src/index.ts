import { load, loadHalves } from './runtime.js'
import type { InitInput } from './types.js'

/**
 * Loads the WebAssembly module. Call it once before anything else; calling it again, or at the same
 * time, is harmless, and a load that failed can be tried again.
 *
 * By default these are two files beside this package's JavaScript, which bundlers find by themselves: what a page needs
 * to connect and to be in sync, and the rest, which {@link whole} waits for.
 *
 * @param input Where the module is in one file (`vivim-wasm/vivim_wasm_bg.wasm`), or the module itself.
 */
export default function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  if (input !== undefined) return load(() => input)
  return loadHalves({
    start: new URL('../wasm/vivim_wasm_start.wasm', import.meta.url),
    rest: new URL('../wasm/vivim_wasm_rest.wasm', import.meta.url),
  })
}

export * from './public.js'
