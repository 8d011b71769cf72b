import { load } from './runtime.js'
import type { InitInput } from './types.js'

/**
 * Loads the WebAssembly module. Call it once before anything else; calling it again, or at the same
 * time, is harmless, and a load that failed can be tried again.
 *
 * @param input Where the module is, or the module itself. By default the file beside this package's
 * JavaScript, which bundlers find by themselves.
 */
export default function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return load(() => input ?? new URL('../wasm/vivim_wasm_bg.wasm', import.meta.url))
}

export * from './public.js'
