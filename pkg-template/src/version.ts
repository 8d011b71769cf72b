/** The version of this package; `init` checks that the WebAssembly file has the same. */
export const VERSION = '0.1.0'
