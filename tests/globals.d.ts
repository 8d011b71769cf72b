// What the test pages put on `window`; read by editors and by `npm run types`.

interface Window {
  /** The library under test of the page. */
  peer: any
  /** What the demo page offers for tests. */
  vivim: any
  node: any
  measure: () => Promise<number>
  member: () => boolean
  seenAt: number
  result: unknown
  calls: string[]
  flushed: (number: number) => void
  flood: { written: number; ended: string }
}

// Built by `cargo xtask pack`; its own types are checked by its own tests.
declare module 'vivim-wasm' {
  const init: () => Promise<void>
  export default init
  export const NetworkNode: any
  export const CRDTSyncService: any
  export const whole: () => Promise<void>
  export type Room = any
  export type VivimDocument = any
}
declare module 'vivim-wasm/yjs' {
  export const VivimProvider: any
}
declare module 'y-webrtc' {
  export const WebrtcProvider: any
}
declare module 'react' {
  export const createElement: any
  export const StrictMode: any
  export const useEffect: (effect: () => () => void, on: unknown[]) => void
  export const useState: <T>(first: T) => [T, (next: T) => void]
}
declare module 'react-dom/client' {
  export const createRoot: (place: Element) => { render: (element: unknown) => void, unmount: () => void }
}
