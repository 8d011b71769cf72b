// What is left of a node after `stop()`: nothing that keeps a process of Node.js alive.

import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

/** How long an ended process may take; a forgotten timer of awareness takes 15 s. */
const SOON_MS = 5_000

/** A process that runs this and is watched until it ends by itself. Gives its output. */
async function run(t, body) {
  const source = `
    import init, { CRDTSyncService, NetworkNode } from 'vivim-wasm'
    await init()
    const node = new NetworkNode()
    const service = new CRDTSyncService({ node })
    ${body}
    console.log('stopped', ...process.getActiveResourcesInfo())
    process.send('stopped')
    process.disconnect()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: import.meta.dirname ?? new URL('.', import.meta.url), stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (output += chunk))
  // With all of its output, which may come behind its end.
  const ended = once(child, 'close')
  await once(child, 'message')
  const stopped = performance.now()
  const [code, signal] = await ended
  return { code, signal, output, took: performance.now() - stopped }
}

for (const [what, body] of Object.entries({
  'open documents': `
    const document = service.createDocument('open')
    document.text('t').insert(0, 'edited')
    await node.start()
    await document.ready
    document.awareness.setLocalStateField('user', 'somebody')
    await node.stop()`,
  'documents that were closed before': `
    await node.start()
    const document = (await node.joinRoom('room')).document('closed')
    await document.ready
    document.text('t').insert(0, 'edited')
    await document.close()
    await node.stop()`,
  'a wait for a peer that never came': `
    await node.start()
    const document = service.createDocument('waiting')
    await document.ready
    const waiting = service.sync(document, '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp')
    const code = waiting.then(() => 'synced', error => error.code)
    await new Promise(resolve => setTimeout(resolve))
    await node.stop()
    console.log(await code)`,
})) {
  test(`a process ends by itself after the stop of a node with ${what}`, async t => {
    const { code, signal, output, took } = await run(t, body)
    assert.deepEqual([code, signal], [0, null], output)
    assert.ok(took < SOON_MS, `it took ${Math.round(took)} ms: ${output}`)
    if (what.startsWith('a wait')) assert.match(output, /^STOPPED$/m)
  })
}
