// The packed package where applications use it: Node, server-side rendering, Vite and webpack, without any plugin.

import { strict as assert } from 'node:assert'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'vite'
import webpack from 'webpack'
import { makeApp } from '../lib/app.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'

const run = promisify(execFile)

/** What a small application does first. */
const APPLICATION = `
import init, { NetworkNode, randomRoomName } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'

export async function main() {
  await Promise.all([init(), init()])
  const node = new NetworkNode({ bootstrapPeers: [] })
  await node.start()
  const room = await node.joinRoom(randomRoomName())
  const document = room.document('notes')
  document.text('text').insert(0, 'hello from rust')
  const ydoc = new Y.Doc()
  const provider = new VivimProvider(ydoc, { node, room, name: 'other' })
  ydoc.getText('text').insert(0, ' and yjs')
  const result = document.text('text').toString() + ydoc.getText('text').toString()
  provider.destroy()
  await node.stop()
  return result
}
`
const RESULT = 'hello from rust and yjs'

/** @type {Record<string, string>} */
const WEB_APP = {
  'index.html': '<!doctype html><meta charset="utf-8"><title>app</title><script type="module" src="/main.js"></script>',
  'application.js': APPLICATION,
  'main.js': `import { main } from './application.js'
main().then((result) => (window.result = result), (error) => (window.result = String(error && error.stack || error)))`,
}

/**
 * Opens the built application and reads its result.
 * @param {import('../lib/scope.mjs').Scope} scope
 * @param {string} folder
 * @param {Record<string, any>} [answers]
 */
async function opened(scope, folder, answers) {
  const site = await scope.open(serve({ folders: { '/': folder }, answers }))
  const tab = await (await scope.chromium('app')).tab(`${site.origin}/`)
  await tab.waitFor('the application ran', () => 'result' in window)
  return tab.evaluate(() => window.result)
}

/** @param {string} dir */
const wasmIn = (dir) => readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.wasm'))

scenario('under Node the package loads its wasm from disk and documents work', async (scope) => {
  const app = await scope.open(
    makeApp('node', { 'application.js': APPLICATION, 'main.js': `import { main } from './application.js'; console.log(await main())` }),
  )
  const { stdout } = await run(process.execPath, ['main.js'], { cwd: app.dir, timeout: 30_000 })
  assert.equal(stdout.trim(), RESULT)
})

scenario('during server-side rendering importing the package touches nothing, and calls before init say what to do', async (scope) => {
  const app = await scope.open(
    makeApp('ssr', {
      'main.js': `import { NetworkNode } from 'vivim-wasm'
import 'vivim-wasm/yjs'
try { new NetworkNode({}); console.log('no error') } catch (error) { console.log(error.code) }`,
    }),
  )
  const { stdout } = await run(process.execPath, ['main.js'], { cwd: app.dir, timeout: 30_000 })
  assert.equal(stdout.trim(), 'NOT_INITIALIZED')
  // The browser's entry is what a bundler puts into a server bundle.
  const browser = await run(process.execPath, ['--input-type=module', '-e', `await import('./node_modules/vivim-wasm/dist/index.js'); console.log('fine')`], {
    cwd: app.dir,
    timeout: 30_000,
  })
  assert.equal(browser.stdout.trim(), 'fine')
})

scenario('Vite builds an application with the package without plugins, and it runs', async (scope) => {
  const app = await scope.open(makeApp('vite', WEB_APP))
  await build({ root: app.dir, logLevel: 'error', configFile: false, build: { outDir: 'dist', target: 'es2022' } })
  assert.equal(wasmIn(join(app.dir, 'dist')).length, 2)
  assert.equal(await opened(scope, join(app.dir, 'dist')), RESULT)
})

scenario('webpack builds an application with the package without plugins or experiments, and it runs', async (scope) => {
  const app = await scope.open(makeApp('webpack', WEB_APP))
  /** @type {import('webpack').Configuration} */
  const config = {
    context: app.dir,
    entry: './main.js',
    mode: 'production',
    output: { path: join(app.dir, 'dist'), filename: 'main.js' },
    performance: { hints: false },
  }
  /** @type {import('webpack').Stats | undefined} */
  const stats = await new Promise((resolve, reject) => {
    webpack(config, (error, stats) => (error ? reject(error) : resolve(stats ?? undefined)))
  })
  assert.ok(stats && !stats.hasErrors() && !stats.hasWarnings(), stats?.toString({ colors: false }))
  assert.equal(wasmIn(join(app.dir, 'dist')).length, 2)
  const page = { type: 'text/html', body: '<!doctype html><meta charset="utf-8"><script src="/main.js"></script>' }
  assert.equal(await opened(scope, join(app.dir, 'dist'), { '/': page }), RESULT)
})
