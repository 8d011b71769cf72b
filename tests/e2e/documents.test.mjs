// Documents in browsers: opened from storage alone, edited offline, durable when flush says so, shared by tabs.

import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundleWithPackage, html } from '../lib/build.mjs'
import { Chromium } from '../lib/chromium.mjs'
import { newRoom } from '../lib/demo-page.mjs'
import { workDir } from '../lib/paths.mjs'
import { scenario } from '../lib/scope.mjs'
import { serve } from '../lib/static-server.mjs'
import { until } from '../lib/wait.mjs'

/** @typedef {import('../lib/scope.mjs').Scope} Scope @typedef {import('../lib/chromium.mjs').Tab} Tab */

/** @param {Scope} scope */
async function site(scope) {
  const answers = {
    ...(await bundleWithPackage('pages/documents.mjs')),
    '/': html(`import { Documents } from '/pages/documents.js'; window.peer = new Documents()`),
  }
  return scope.open(serve({ answers }))
}

/**
 * @param {{ tab: (url?: string) => Promise<Tab> }} browser
 * @param {string} origin
 * @param {object} [options]
 */
async function open(browser, origin, options) {
  const tab = await browser.tab(`${origin}/`)
  return ready(tab, options)
}

/** @param {Tab} tab @param {object} [options] */
async function ready(tab, options) {
  await tab.waitFor('the page is ready', () => 'peer' in window)
  await tab.evaluate((options) => window.peer.open(options), options ?? { start: false })
  return tab
}

/** @param {Tab} tab @param {string} origin @param {object} [options] */
async function reload(tab, origin, options) {
  await tab.goto(`${origin}/?${Math.random()}`)
  return ready(tab, options)
}

/** @param {Tab} tab @param {string} method @param {...unknown} args @returns {Promise<any>} */
const ask = (tab, method, ...args) =>
  tab.evaluate(({ method, args }) => window.peer[method](...args), { method, args })

/** @param {Tab} tab @param {string} name @param {string} text */
const shows = (tab, name, text) =>
  tab.waitFor(`the text ${text}`, ({ name, text }) => window.peer.text(name) === text, { name, text })

scenario('a document opens from storage alone after a reload, and flush means durable', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  for (let round = 0; round < 5; round++) {
    await ask(tab, 'append', name, `line ${round}\n`)
    // Reloaded in the same breath.
    await ask(tab, 'flush', name)
    await reload(tab, origin)
    await ask(tab, 'create', name)
    const text = Array.from({ length: round + 1 }, (_, at) => `line ${at}\n`).join('')
    assert.equal(await ask(tab, 'text', name), text)
  }
  // Two turns of the microtask queue are enough for the storage's share of work at the page's end.
  const [info] = await tab.evaluate(() => window.peer.service.listDocuments())
  assert.equal(info.name, name)
  assert.equal(info.isOpen, true)
  assert.ok(await tab.evaluate(async () => typeof (await window.peer.service.persisted) === 'boolean' || window.peer.service.persisted === undefined))
})

scenario('documents edited offline on two devices merge when they meet, and receipts say who has what', async (scope) => {
  const [{ origin }, relay, ada, bob] = await Promise.all([
    site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const name = newRoom()
  const online = { relay: relay.address }
  const [a, b] = await Promise.all([open(ada, origin), open(bob, origin)])
  await Promise.all([ask(a, 'create', name), ask(b, 'create', name)])
  await ask(a, 'append', name, 'from ada;')
  await ask(b, 'append', name, 'from bob;')
  await ask(b, 'append', name, 'more;')
  assert.equal(await ask(a, 'unsynced', name), 1)
  assert.equal(await ask(b, 'unsynced', name), 2)
  await Promise.all([ask(a, 'flush', name), ask(b, 'flush', name)])

  // The counts survive a reload, and so do the edits, without any network.
  await Promise.all([reload(a, origin, online), reload(b, origin, online)])
  await Promise.all([ask(a, 'create', name), ask(b, 'create', name)])
  assert.ok((await ask(a, 'text', name)).includes('from ada;'))
  await a.waitFor('bob’s edits', (name) => window.peer.text(name).includes('more;'), name)
  await b.waitFor('ada’s edits', (name) => window.peer.text(name).includes('from ada;'), name)
  assert.equal(await ask(a, 'text', name), await ask(b, 'text', name))

  await a.waitFor('nothing is only here', (name) => window.peer.unsynced(name) === 0, name)
  await b.waitFor('nothing is only here', (name) => window.peer.unsynced(name) === 0, name)
  const bobId = await ask(b, 'peerId')
  await a.waitFor('bob has stored it', ({ name, bobId }) => {
    const { local, peers } = window.peer.receipts(name)
    const receipt = peers.find((/** @type {any} */ peer) => peer.peerId === bobId)
    return receipt?.applied === local && receipt?.stored === local
  }, { name, bobId })

  // What is known of causality: one clock per device, the same on both sides, earlier openings included.
  await until('both sides know one clock per device', async () => {
    const [one, two] = await Promise.all([a, b].map((tab) =>
      tab.evaluate((name) => JSON.stringify(Object.entries(window.peer.service.getVectorClock(name)).sort()), name)))
    return one === two && JSON.parse(one).length === 2
  })

  // The states came in their order.
  const states = (await ask(a, 'of', 'sync:state')).map((/** @type {any} */ detail) => detail.state)
  assert.deepEqual(states.slice(0, 3), ['connecting', 'syncing', 'synced'])
  await b.evaluate(() => window.peer.node.stop())
  await a.waitFor('the loss is seen', () => {
    const states = window.peer.of('sync:state').map((/** @type {any} */ detail) => detail.state)
    return states.slice(3).includes('offline')
  })
})

scenario('two tabs of one profile see each other’s edits without any network, and lose none', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const [one, two] = [await open(ada, origin), await open(ada, origin)]
  await Promise.all([ask(one, 'create', name), ask(two, 'create', name)])
  await ask(one, 'append', name, 'one;')
  await shows(two, name, 'one;')
  await ask(two, 'append', name, 'two;')
  await shows(one, name, 'one;two;')
  await Promise.all(
    [one, two].map((tab, which) => tab.evaluate(async ({ name, which }) => {
      for (let at = 0; at < 200; at++) {
        window.peer.append(name, `<${which}:${at}>`)
        if (at % 20 === 0) await window.peer.flush(name)
      }
      await window.peer.flush(name)
    }, { name, which })),
  )
  await until('both tabs are equal', async () => (await ask(one, 'text', name)) === (await ask(two, 'text', name)))
  await two.close()
  await reload(one, origin)
  await ask(one, 'create', name)
  const text = await ask(one, 'text', name)
  for (const which of [0, 1]) for (let at = 0; at < 200; at++) assert.ok(text.includes(`<${which}:${at}>`), `${which}:${at}`)
})

scenario('a document is deleted here, and comes back from a file or from nowhere', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  await ask(tab, 'append', name, 'kept in a file')
  await ask(tab, 'flush', name)
  const file = await tab.evaluate(async (name) => [...(await window.peer.service.exportDocument(name))], name)
  assert.equal(String.fromCharCode(...file.slice(0, 8)), 'VIVIMDOC')
  await tab.evaluate((name) => window.peer.service.deleteDocument(name), name)
  assert.deepEqual(await tab.evaluate(() => window.peer.service.listDocuments()), [])
  await reload(tab, origin)
  await ask(tab, 'create', name)
  assert.equal(await ask(tab, 'text', name), '')
  await tab.evaluate(async (file) => void (await window.peer.service.importDocument(new Uint8Array(file))), file)
  assert.equal(await ask(tab, 'text', name), 'kept in a file')
  const refused = await tab.evaluate(async (file) => {
    const damaged = new Uint8Array(file)
    damaged[damaged.length - 3] ^= 1
    return window.peer.service.importDocument(damaged).catch((/** @type {any} */ error) => error.code)
  }, file)
  assert.equal(refused, 'INVALID_FILE')
})

scenario('two devices that set one field without knowing of each other hear of the conflict', async (scope) => {
  const [{ origin }, relay, ada, bob] = await Promise.all([
    site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const name = newRoom()
  const [a, b] = await Promise.all([open(ada, origin), open(bob, origin)])
  for (const [tab, value] of /** @type {[Tab, string][]} */ ([[a, 'red'], [b, 'blue']])) {
    await ask(tab, 'create', name)
    await tab.evaluate(({ name, value }) => window.peer.doc(name).map('settings').set('colour', value), { name, value })
    await ask(tab, 'flush', name)
    await reload(tab, origin, { relay: relay.address })
    await ask(tab, 'create', name)
  }
  const heard = await Promise.race([a, b].map(async (tab) => {
    await tab.waitFor('a conflict', () => window.peer.of('document:conflict').length > 0)
    return tab
  }))
  const [conflict] = await ask(heard, 'of', 'document:conflict')
  assert.equal(conflict.path, 'settings.colour')
  assert.equal(conflict.devices.length, 2)
  const states = (await ask(heard, 'of', 'sync:state')).map((/** @type {any} */ detail) => detail.state)
  const at = states.indexOf('conflict')
  assert.equal(states[at + 1], 'resolved')
  assert.ok(['synced', 'syncing'].includes(states[at + 2]), states.join())
  await until('both agree', async () => {
    const [one, two] = await Promise.all([a, b].map((tab) =>
      tab.evaluate((name) => window.peer.doc(name).map('settings').get('colour'), name)))
    return one === two
  })
})

scenario('awareness says who is there, and forgets who went', async (scope) => {
  const [{ origin }, relay, ada, bob] = await Promise.all([
    site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const name = newRoom()
  const online = { relay: relay.address }
  const [a, b] = await Promise.all([open(ada, origin, online), open(bob, origin, online)])
  await Promise.all([ask(a, 'create', name), ask(b, 'create', name)])
  await b.evaluate(() => window.peer.service.setAwareness('user', 'Bob'))
  const bobId = await ask(b, 'peerId')
  await a.waitFor('bob is seen', (id) => window.peer.service.getAwareness(id)?.user === 'Bob', bobId)
  await b.evaluate((name) => window.peer.service.destroyDocument(name), name)
  await a.waitFor('bob went', (id) => window.peer.service.getAwareness(id) === undefined, bobId)
})

scenario('a document without room in the storage goes on in memory and says so', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  await tab.evaluate(() => {
    const add = IDBObjectStore.prototype.add
    Object.assign(window, { repair: () => void (IDBObjectStore.prototype.add = add) })
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
  })
  await ask(tab, 'append', name, 'only in memory')
  const code = await tab.evaluate((name) => window.peer.flush(name).catch((/** @type {any} */ error) => error.code), name)
  assert.equal(code, 'STORAGE_FULL')
  assert.equal((await ask(tab, 'of', 'storage:error'))[0].code, 'STORAGE_FULL')
  assert.equal((await ask(tab, 'receipts', name)).durable, 0)
  await tab.evaluate(() => /** @type {any} */ (window).repair())
  await ask(tab, 'flush', name)
  await reload(tab, origin)
  await ask(tab, 'create', name)
  assert.equal(await ask(tab, 'text', name), 'only in memory')
})

scenario('a profile opens a document again and again and stays small', async (scope) => {
  const { origin } = await site(scope)
  const profile = mkdtempSync(join(workDir('profiles'), 'small-'))
  scope.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  const browser = await Chromium.launch('small', { profile })
  scope.defer(() => browser.close())
  const tab = await open(browser, origin)
  const name = newRoom()
  await tab.evaluate(async (name) => {
    for (let at = 0; at < 100; at++) {
      await window.peer.create(name)
      window.peer.append(name, `sentence number ${at}. `)
      await window.peer.service.destroyDocument(name)
    }
    await window.peer.create(name)
    await window.peer.flush(name)
  }, name)
  const { stored, state } = await tab.evaluate(async (name) => {
    const document = window.peer.doc(name)
    return { stored: document.storedBytes, state: document.encodeStateAsUpdate().length }
  }, name)
  assert.ok(stored <= 2 * state, `${stored} bytes stored for ${state}`)
})

scenario('a page is told when the browser has deleted what was kept', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  await ask(tab, 'append', name, 'kept')
  await ask(tab, 'flush', name)
  // Nothing is said of what is still there.
  await reload(tab, origin)
  await ask(tab, 'create', name)
  assert.deepEqual(await ask(tab, 'of', 'warning'), [])
  await tab.goto(`${origin}/?other`)
  await tab.waitFor('the page is ready', () => 'peer' in window)
  await tab.evaluate(async () => {
    for (const { name = '' } of await indexedDB.databases()) {
      await new Promise((resolve, reject) => {
        const deleting = indexedDB.deleteDatabase(name)
        deleting.onsuccess = resolve
        deleting.onerror = reject
      })
    }
  })
  await ready(tab)
  await tab.waitFor('the warning', () => window.peer.of('warning').some((/** @type {any} */ w) => w.code === 'STORAGE_EVICTED'))
})

scenario('what newer software has stored is refused as such, and stays as it is', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  await ask(tab, 'append', name, 'of later')
  await ask(tab, 'flush', name)
  await tab.evaluate((name) => window.peer.service.destroyDocument(name), name)
  await ask(tab, 'makeNewer')
  const before = await ask(tab, 'records')
  assert.ok(before.records.length > 0)
  await reload(tab, origin)
  await ask(tab, 'create', name)
  await tab.waitFor('the refusal', () => window.peer.of('storage:error').some((/** @type {any} */ e) => e.code === 'STORAGE_NEWER'))
  assert.equal(await ask(tab, 'text', name), '')
  // It goes on in memory, and whatever is done to it changes nothing that is stored.
  for (let round = 0; round < 3; round++) {
    await ask(tab, 'append', name, 'in memory;')
    const code = await tab.evaluate((name) => window.peer.flush(name).catch((/** @type {any} */ error) => error.code), name)
    assert.equal(code, 'STORAGE_NEWER')
  }
  assert.equal((await ask(tab, 'receipts', name)).durable, 0)
  await tab.evaluate((name) => window.peer.service.destroyDocument(name), name)
  assert.deepEqual(await ask(tab, 'records'), before)
})

scenario('what the version before has stored is read, and goes on', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const tab = await open(ada, origin)
  await ask(tab, 'create', name)
  await ask(tab, 'append', name, 'of before')
  await ask(tab, 'flush', name)
  await tab.evaluate((name) => window.peer.service.destroyDocument(name), name)
  await ask(tab, 'makeOlder')
  const before = await ask(tab, 'records')
  assert.ok(before.records.every((/** @type {string} */ record) => /^\d+: 1,/.test(record)), String(before.records))
  await reload(tab, origin)
  await ask(tab, 'create', name)
  assert.equal(await ask(tab, 'text', name), 'of before')
  await ask(tab, 'append', name, ', and on')
  await ask(tab, 'flush', name)
  await reload(tab, origin)
  await ask(tab, 'create', name)
  assert.equal(await ask(tab, 'text', name), 'of before, and on')
  assert.deepEqual(await ask(tab, 'of', 'storage:error'), [])
})

scenario('damaged records are reported by the document, set aside, and come back from a peer', async (scope) => {
  const [{ origin }, relay, ada, bob] = await Promise.all([
    site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const name = newRoom()
  const online = { relay: relay.address }
  const [a, b] = await Promise.all([open(ada, origin, online), open(bob, origin, online)])
  await ask(a, 'create', name)
  await ask(a, 'append', name, 'on two devices')
  await ask(b, 'create', name)
  await shows(b, name, 'on two devices')
  await ask(a, 'flush', name)
  await a.evaluate((name) => window.peer.service.destroyDocument(name), name)
  await a.evaluate(() => window.peer.tamper((/** @type {Uint8Array} */ bytes) => bytes.fill(0, 20)))
  await reload(a, origin, online)
  await a.evaluate((name) => {
    window.peer.service.createDocument(name)
    window.peer.watchStorage(name)
  }, name)
  await shows(a, name, 'on two devices')
  await a.waitFor('the report', () => window.peer.of('storage').length > 0)
  const [damaged] = await ask(a, 'of', 'storage')
  assert.equal(damaged.type, 'damaged')
  assert.match(damaged.reasons[0], /checksum/)
  assert.deepEqual((await ask(a, 'of', 'storage:error')).map((/** @type {any} */ e) => e.code), ['STORAGE_DAMAGED'])
  await ask(a, 'flush', name)
  await until('it was set aside', async () => (await ask(a, 'records')).quarantine.length > 0)
})

scenario('a storage that works again says so, and a document that another tab deletes goes on in memory', async (scope) => {
  const [{ origin }, ada] = await Promise.all([site(scope), scope.chromium('ada')])
  const name = newRoom()
  const [one, two] = [await open(ada, origin), await open(ada, origin)]
  await Promise.all([ask(one, 'create', name), ask(two, 'create', name)])
  await Promise.all([ask(one, 'watchStorage', name), ask(two, 'watchStorage', name)])
  await one.evaluate(() => {
    const add = IDBObjectStore.prototype.add
    Object.assign(window, { repair: () => void (IDBObjectStore.prototype.add = add) })
    IDBObjectStore.prototype.add = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
  })
  await ask(one, 'append', name, 'kept')
  await one.waitFor('the failure', () => window.peer.of('storage').some((/** @type {any} */ e) => e.code === 'STORAGE_FULL'))
  await one.evaluate(() => /** @type {any} */ (window).repair())
  await ask(one, 'flush', name)
  assert.deepEqual((await ask(one, 'of', 'storage')).map((/** @type {any} */ e) => e.type).at(-1), 'recovered')
  await shows(two, name, 'kept')

  await one.evaluate((name) => window.peer.service.deleteDocument(name), name)
  await two.waitFor('the deletion', () => window.peer.of('storage').some((/** @type {any} */ e) => e.type === 'deleted'))
  await ask(two, 'append', name, ', in memory')
  await ask(two, 'flush', name)
  assert.equal(await ask(two, 'text', name), 'kept, in memory')
  assert.deepEqual((await ask(two, 'records')).records, [])
})

scenario('one syncs with a named peer, stops, goes on, and hears of each step under the document’s name', async (scope) => {
  const [{ origin }, relay, ada, bob] = await Promise.all([
    site(scope), scope.relay(), scope.chromium('ada'), scope.chromium('bob'),
  ])
  const name = newRoom()
  const online = { relay: relay.address }
  const b = await open(bob, origin, online)
  const bobId = await ask(b, 'peerId')
  await ask(b, 'create', name)
  await ask(b, 'append', name, 'from bob;')
  // Bob keeps documents for others, as a relay that stores would.
  const a = await open(ada, origin, { ...online, config: { storePeers: [bobId] } })
  await ask(a, 'create', name)
  await a.evaluate(({ name, bobId }) => window.peer.service.sync(name, bobId), { name, bobId })
  assert.equal(await ask(a, 'text', name), 'from bob;')
  assert.deepEqual(await a.evaluate((name) => window.peer.service.getConnectedPeers(name), name), [bobId])
  await a.waitFor('synced', (name) => window.peer.service.getSyncState(name) === 'synced', name)

  // What was done here counts as kept when he has stored it, and not before.
  assert.equal((await ask(a, 'receipts', name)).kept, 0)
  await ask(a, 'append', name, 'from ada;')
  await a.waitFor('it is kept', (name) => window.peer.receipts(name).kept === 1, name)
  const { local, unsynced, stored, peers } = await ask(a, 'receipts', name)
  assert.deepEqual({ unsynced, stored }, { unsynced: 0, stored: 1 })
  assert.deepEqual(peers, [{ peerId: bobId, applied: local, stored: local, open: true, keeper: true }])
  // Ada is no keeper for him, though she stores.
  await ask(b, 'append', name, 'more;')
  await b.waitFor('ada has stored it', (name) => window.peer.receipts(name).stored === 1, name)
  assert.equal((await ask(b, 'receipts', name)).kept, 0)
  await shows(a, name, 'from bob;from ada;more;')

  await a.evaluate((name) => window.peer.service.stopSync(name), name)
  assert.deepEqual(await a.evaluate((name) => window.peer.service.getConnectedPeers(name), name), [])
  await ask(a, 'append', name, 'alone;')
  assert.equal((await ask(a, 'receipts', name)).kept, 0)
  await b.waitFor('ada went', (name) => window.peer.service.getConnectedPeers(name).length === 0, name)
  assert.equal(await ask(b, 'text', name), 'from bob;from ada;more;')
  await a.evaluate(({ name, bobId }) => window.peer.service.sync(name, bobId), { name, bobId })
  await shows(b, name, 'from bob;from ada;more;alone;')

  const told = (/** @type {string} */ event, /** @type {(detail: any) => unknown} */ of) => ask(a, 'of', event)
    .then((all) => all.filter((/** @type {any} */ detail) => detail.docId === name).map(of))
  const connection = await told('connection:status', (detail) => detail.status)
  assert.deepEqual(connection.slice(0, 2), ['connecting', 'connected'])
  assert.ok(connection.includes('disconnected'), connection.join())
  assert.equal(connection.at(-1), 'connected')
  assert.deepEqual((await told('sync:status', (detail) => detail.synced)).slice(0, 2), [true, false])
  assert.deepEqual((await told('sync:peers', (detail) => detail.peers.length)).slice(0, 2), [1, 0])
})
