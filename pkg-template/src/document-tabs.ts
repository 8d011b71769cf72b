import type { RawCompacted, RawDocument, RawWrote } from '../wasm/vivim_wasm.js'
import { call } from './runtime.js'

/** What the openings of one document in this browser's profile tell each other. */
type Message = RawWrote | RawCompacted | { type: 'deleted' }

/**
 * The other tabs that have the document open. What is durable here is told to them with its bytes, so
 * that they show it and know of the records; it works without any network.
 */
export class DocumentTabs {
  readonly #channel: BroadcastChannel

  constructor(database: string, raw: RawDocument, onDeleted: () => void) {
    this.#channel = new BroadcastChannel(channelName(database, raw.docId))
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      switch (data.type) {
        case 'wrote':
          return call(() => raw.siblingWrote(data.keys, data.sizes, data.updates))
        case 'compacted':
          return call(() => raw.siblingCompacted(data.replaced, data.key, data.size))
        case 'deleted':
          return onDeleted()
      }
    }
  }

  tell(message: Message): void {
    this.#channel.postMessage(message)
  }

  close(): void {
    this.#channel.close()
  }
}

/** Tells all openings of a document in this profile, in this tab too, that it was deleted. */
export function tellDeleted(database: string, docId: string): void {
  if (typeof BroadcastChannel !== 'function') return
  const channel = new BroadcastChannel(channelName(database, docId))
  channel.postMessage({ type: 'deleted' } satisfies Message)
  channel.close()
}

function channelName(database: string, docId: string): string {
  return `vivim:${database}:${docId}`
}
