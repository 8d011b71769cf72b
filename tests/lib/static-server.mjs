// A small web server for test pages: mounted folders, single answers, cache headers, and an optional CSP.

import { createServer } from 'node:http'
import { createReadStream, statSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
}

/**
 * @typedef {object} Site
 * @property {Record<string, string>} [folders] URL prefix (with slashes at both ends) to folder
 * @property {Record<string, { type: string, body: string | Uint8Array }>} [answers] exact URL path to a made answer
 * @property {Record<string, string>} [headers] of every answer
 * @property {string} [csp] the Content-Security-Policy of every answer
 * @property {string} [host] the address to listen on
 */

/**
 * Pages are revalidated; everything else is cached for an hour, as a deployed build with hashed names would be.
 * @param {Site} site
 * @returns {Promise<{ origin: string, port: number, requests: string[], close: () => Promise<void> }>}
 */
export async function serve({ folders = {}, answers = {}, headers = {}, csp, host = '127.0.0.1' }) {
  /** @type {string[]} */
  const requests = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname)
    requests.push(path)
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (csp) response.setHeader('content-security-policy', csp)
    const answer = answers[path]
    if (answer) {
      response.setHeader('content-type', answer.type)
      response.setHeader('cache-control', answer.type.startsWith('text/html') ? 'no-cache' : 'max-age=3600')
      response.end(answer.body)
      return
    }
    const file = locate(folders, path)
    if (!file) {
      response.statusCode = 404
      response.end('not found')
      return
    }
    response.setHeader('content-type', TYPES[extname(file.path)] ?? 'application/octet-stream')
    response.setHeader('content-length', file.size)
    response.setHeader('cache-control', extname(file.path) === '.html' ? 'no-cache' : 'max-age=3600')
    createReadStream(file.path).pipe(response)
  })
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, () => resolve(undefined))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    origin: `http://${host}:${address.port}`,
    port: address.port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve(undefined))
        server.closeAllConnections()
      }),
  }
}

/**
 * @param {Record<string, string>} folders
 * @param {string} path
 */
function locate(folders, path) {
  const prefix = Object.keys(folders)
    .filter((prefix) => path.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0]
  if (prefix === undefined) return undefined
  const inside = normalize(path.slice(prefix.length) || 'index.html')
  if (inside.startsWith('..')) return undefined
  const file = join(folders[prefix], inside.endsWith('/') ? `${inside}index.html` : inside)
  try {
    const stat = statSync(file)
    return stat.isFile() ? { path: file, size: stat.size } : undefined
  } catch {
    return undefined
  }
}
