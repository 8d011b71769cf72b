/** What went wrong, for programs. Every failure of this package has one of these codes. */
export type VivimErrorCode =
  /** A handler for this protocol exists already; remove it first. */
  | 'ALREADY_HANDLED'
  /** The document is open already on this node; use the one you have. */
  | 'ALREADY_OPEN'
  /** The room, document or attachment was closed. */
  | 'CLOSED'
  /** The part is switched off in the node's configuration. */
  | 'DISABLED'
  /** The shared type isn't part of the document any more: it was deleted, here or by a peer. */
  | 'GONE'
  /** A defect of this package; please report it. */
  | 'INTERNAL'
  /** The text is not a multiaddr, or a bootstrap address lacks its peer id. */
  | 'INVALID_ADDRESS'
  /** An argument has the wrong type or is out of range. */
  | 'INVALID_ARGUMENT'
  /** The configuration has a field of the wrong type or out of range. */
  | 'INVALID_CONFIG'
  /** The bytes are not the file of a document, or are damaged. */
  | 'INVALID_FILE'
  /** The private key is neither a 32-byte seed nor a libp2p private key. */
  | 'INVALID_KEY'
  /** A room's or document's name is empty or too long. */
  | 'INVALID_NAME'
  /** The text is not a peer id. */
  | 'INVALID_PEER_ID'
  /** A protocol's name must begin with a slash. */
  | 'INVALID_PROTOCOL'
  /** The bytes are not an update or a state vector of a document. */
  | 'INVALID_UPDATE'
  /** A bound was reached, such as rooms of one node. */
  | 'LIMIT'
  /** Connect to the peer first. */
  | 'NOT_CONNECTED'
  /** Nothing was found. */
  | 'NOT_FOUND'
  /** `await init()` has not been called. */
  | 'NOT_INITIALIZED'
  /** Join the room first. */
  | 'NOT_JOINED'
  /** Nobody is connected who could take it. */
  | 'NO_PEERS'
  /** A position is behind the end of the text or list. */
  | 'OUT_OF_BOUNDS'
  /** The address is this node's own. */
  | 'OWN_ADDRESS'
  /** The module has crashed and does nothing any more; reload the page. */
  | 'PANICKED'
  /** The message could not be published. */
  | 'PUBLISH'
  /** The rules of a typed document speak against it; the message says what to do. */
  | 'REFUSED'
  /** The node isn't running; call `start()`. */
  | 'STOPPED'
  /** The disk, the browser or its database failed; the write is repeated. */
  | 'STORAGE'
  /** Another tab holds an older version of the storage open; close or reload it. */
  | 'STORAGE_BLOCKED'
  /** The storage as a whole can't be read. */
  | 'STORAGE_DAMAGED'
  /** The disk is full, or the browser grants no more room. */
  | 'STORAGE_FULL'
  /** The storage was deleted while it was in use; it is made anew. */
  | 'STORAGE_GONE'
  /** The storage belongs to a newer version of this package; reload the page. */
  | 'STORAGE_NEWER'
  /** The browser lets this page store nothing, as in some private windows. */
  | 'STORAGE_UNAVAILABLE'
  /** The stream's connection broke. */
  | 'STREAM'
  /** The stream was closed or reset on this side. */
  | 'STREAM_CLOSED'
  /** No answer in time. */
  | 'TIMEOUT'
  /** Larger than the limit that the message names. */
  | 'TOO_LARGE'
  /** Nobody answered at the address. */
  | 'UNREACHABLE'
  /** No transport of this node speaks this kind of address. */
  | 'UNSUPPORTED_ADDRESS'
  /** The peer doesn't speak the protocol. */
  | 'UNSUPPORTED_PROTOCOL'
  /** The JavaScript and the WebAssembly file are of different versions. */
  | 'VERSION_MISMATCH'
  /** A content security policy forbids WebAssembly; allow `'wasm-unsafe-eval'` in `script-src`. */
  | 'WASM_BLOCKED'
  /** The WebAssembly file could not be loaded. */
  | 'WASM_LOAD'
  /** The document has a shared type of another kind under this name. */
  | 'WRONG_KIND'
  /** Another peer than the one asked for answered. */
  | 'WRONG_PEER'

/** A failure of this package. Its `code` is for programs, its `message` for people. */
export class VivimError extends Error {
  override readonly name = 'VivimError'
  readonly code: VivimErrorCode

  constructor(code: VivimErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** What the WebAssembly module throws. Its codes are checked against the list above by a test there. */
interface RawFailure {
  code: VivimErrorCode
  message: string
}

function isRawFailure(value: unknown): value is RawFailure {
  return typeof value === 'object' && value !== null && !(value instanceof Error) &&
    'code' in value && typeof value.code === 'string' && 'message' in value && typeof value.message === 'string'
}

/** Whatever was thrown, as a {@link VivimError}. */
export function toVivimError(error: unknown): VivimError {
  if (error instanceof VivimError) return error
  if (isRawFailure(error)) return new VivimError(error.code, error.message)
  const message = error instanceof Error ? error.message : String(error)
  return new VivimError('INTERNAL', message, { cause: error })
}

/** Tells the developer of an exception in a handler, without letting it hurt anybody else. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}
