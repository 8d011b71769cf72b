import type { RawStream } from '../wasm/vivim_wasm.js'
import { VivimError } from './errors.js'
import { call, callAsync } from './runtime.js'

/** Bytes read ahead of the application; the peer's writer waits when it's full. */
const READ_AHEAD = 64 * 1024
/** Bytes that a writer may have queued in front of the module's own queue. */
const WRITE_AHEAD = 64 * 1024

/** A stream of an application protocol: bytes both ways, with backpressure. */
export class Stream {
  /** What was negotiated. */
  readonly protocol: string
  /** The peer at the other end. */
  readonly remotePeer: string
  /** Whether it runs over a direct connection. */
  readonly direct: boolean
  /** What the peer sends, until it closes its direction. Cancelling it ends the reading only. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>
  /** What goes to the peer. Closing it closes this direction only; aborting it resets the stream. */
  readonly writable: WritableStream<Uint8Array>
  readonly #raw: RawStream

  private constructor(raw: RawStream) {
    this.#raw = raw
    this.protocol = raw.protocol
    this.remotePeer = raw.remotePeer
    this.direct = raw.direct
    this.readable = new ReadableStream({
      type: 'bytes',
      async pull(controller) {
        const chunk = await callAsync(() => raw.read())
        if (chunk !== undefined) return controller.enqueue(chunk)
        controller.close()
        // A reader with a buffer of its own waits for this.
        controller.byobRequest?.respond(0)
      },
      cancel: () => call(() => raw.stopReading()),
    }, { highWaterMark: READ_AHEAD })
    this.writable = new WritableStream<Uint8Array>({
      write: chunk => {
        if (!(chunk instanceof Uint8Array)) {
          throw new VivimError('INVALID_ARGUMENT', 'a stream takes chunks of Uint8Array')
        }
        // A copy, which the module reads bit by bit: the chunk is the application's again when this resolves, and may
        // be transferred then.
        const copy = new Uint8Array(chunk)
        // Most writes only queue: then there's nothing to wait for.
        const wait = call(() => raw.write(copy))
        return wait === undefined ? undefined : callAsync(() => wait)
      },
      close: () => callAsync(() => raw.closeWrite()),
      abort: () => call(() => raw.reset()),
    }, new ByteLengthQueuingStrategy({ highWaterMark: WRITE_AHEAD }))
  }

  /** @internal */
  static create(raw: RawStream): Stream {
    return new Stream(raw)
  }

  /**
   * Sends what was written and closes this direction; reading goes on. While a writer holds the
   * lock, wait for its writes first.
   */
  closeWrite(): Promise<void> {
    return this.writable.locked ? callAsync(() => this.#raw.closeWrite()) : this.writable.close()
  }

  /** Ends both directions at once; what is on its way is lost. */
  reset(): void {
    call(() => this.#raw.reset())
  }
}
