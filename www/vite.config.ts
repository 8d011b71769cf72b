import { defineConfig } from 'vite'

import { offline } from './vite/offline.ts'
import { precompress } from './vite/precompress.ts'
import { preloadEarly } from './vite/preload-early.ts'

// In development the relay answers on its own port; the page asks its own origin.
const relayHttp = process.env['VIVIM_RELAY_HTTP'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  // Relative, so that the built page can be served from any folder.
  base: './',
  build: {
    target: 'es2022',
    // The wasm must stay a file: streaming compilation and the HTTP cache need one.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  // The package finds its wasm beside itself, and prebundling would move it away.
  optimizeDeps: { exclude: ['vivim-wasm'] },
  server: { proxy: { '/.well-known/vivim': relayHttp } },
  preview: { proxy: { '/.well-known/vivim': relayHttp } },
  plugins: [preloadEarly(), offline(), precompress()],
})
