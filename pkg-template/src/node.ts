import { load } from './runtime.js'
import type { InitInput } from './types.js'

/** Like the browsers' `init`; by default it reads the module from this package's folder. */
export default function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return load(async () => {
    if (input !== undefined) return input
    const { readFile } = await import('node:fs/promises')
    return readFile(new URL('../wasm/vivim_wasm_bg.wasm', import.meta.url))
  })
}

export * from './public.js'
