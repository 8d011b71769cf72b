// A React application in development: StrictMode mounts, unmounts and mounts everything again.

import { createElement, StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import init, { NetworkNode } from 'vivim-wasm'
import { VivimProvider } from 'vivim-wasm/yjs'
import * as Y from 'yjs'

/** @param {{ node: any, room: string, doc: Y.Doc, log: string[] }} props */
function Shared({ node, room, doc, log }) {
  const [text, setText] = useState('')
  const [status, setStatus] = useState('')
  useEffect(() => {
    log.push('mount')
    const provider = new VivimProvider(doc, { node, room })
    provider.on('status', (/** @type {{ status: string }} */ { status }) => setStatus(status))
    provider.on('connection-error', (/** @type {{ code: string }} */ error) => log.push(error.code))
    const shared = doc.getText('text')
    const show = () => setText(shared.toString())
    shared.observe(show)
    show()
    window.peer.provider = provider
    return () => {
      log.push('unmount')
      shared.unobserve(show)
      provider.destroy()
    }
  }, [node, room, doc, log])
  return createElement('p', { 'data-testid': 'text', 'data-status': status }, text)
}

export class ReactPage {
  /** @type {string[]} */
  log = []
  doc = new Y.Doc()
  /** @type {any} */
  provider = undefined

  /** @param {{ relay: string, room: string }} options */
  async mount({ relay, room }) {
    await init()
    const node = new NetworkNode({ bootstrapPeers: [relay], iceServers: [] })
    await node.start()
    const place = document.body.appendChild(document.createElement('div'))
    const root = createRoot(place)
    this.root = root
    root.render(createElement(StrictMode, null, createElement(Shared, { node, room, doc: this.doc, log: this.log })))
  }

  unmount() {
    this.root?.unmount()
  }

  /** @param {string} text */
  write(text) {
    const shared = this.doc.getText('text')
    shared.insert(shared.length, text)
  }

  text() {
    return document.querySelector('[data-testid=text]')?.textContent
  }
}
