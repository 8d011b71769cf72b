import { createHash } from 'node:crypto'

import type { Plugin } from 'vite'

/**
 * Writes `offline.js`, a service worker that keeps the built page in the browser: it opens when its server can't be
 * reached, as its texts do. The page itself is asked from the server first, so that a new build is seen at once; its
 * parts have their content's hash in their name and are never asked for twice.
 */
export function offline(): Plugin {
  return {
    name: 'vivim:offline',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const parts = Object.keys(bundle).filter((name) => !name.endsWith('.html'))
        const files = ['./', './favicon.svg', ...parts.map((name) => `./${name}`)]
        const hash = createHash('sha256').update(JSON.stringify(files))
        for (const output of Object.values(bundle)) {
          if (output.type === 'asset' && output.fileName.endsWith('.html')) hash.update(output.source)
        }
        const version = hash.digest('hex').slice(0, 16)
        this.emitFile({ type: 'asset', fileName: 'offline.js', source: worker(version, files) })
      },
    },
  }
}

function worker(version: string, files: readonly string[]): string {
  return `const CACHE = 'vivim-page-${version}'
const FILES = ${JSON.stringify(files)}
// Milliseconds after which a server that doesn't answer counts as away.
const PATIENCE = 3000

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)))
})

self.addEventListener('activate', (event) => {
  const old = (name) => name.startsWith('vivim-page-') && name !== CACHE
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))))
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  if (request.mode === 'navigate') event.respondWith(page(request))
  // Where the relay is, is a question of now.
  else if (request.method === 'GET' && !new URL(request.url).pathname.startsWith('/.well-known/')) {
    event.respondWith(part(request))
  }
})

async function page(request) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) })
    if (answer.ok) return answer
  } catch {
    // Away: below.
  }
  return (await caches.match('./', { ignoreVary: true })) ?? Response.error()
}

async function part(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request)
}
`
}
