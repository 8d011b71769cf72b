import type { RawConfig, RawIceServer } from '../wasm/vivim_wasm.js'
import { VivimError } from './errors.js'
import { hasIndexedDB, toHex } from './platform.js'
import type { IceServer, LogLevel, NodeConfig } from './types.js'

/** How many connections a node aims for, unless told otherwise. */
const MIN_CONNECTIONS = 5
/** How many it keeps. */
const MAX_CONNECTIONS = 50
/** No browser holds more. */
const MAX_MAX_CONNECTIONS = 10_000

/** The database of documents, unless told otherwise. */
const DATABASE = 'vivim'

const LEVELS: readonly LogLevel[] = ['off', 'error', 'warn', 'info', 'debug', 'trace']

export interface CompleteConfig extends RawConfig {
  deviceIdHex: string
}

/** Every field with its default; what has the wrong type or range is refused by name. */
export function completeConfig(config: NodeConfig, deviceId: Uint8Array): CompleteConfig {
  if (typeof config !== 'object' || config === null) refuse('the configuration must be an object')
  const nodeType = config.nodeType ?? 'client'
  if (nodeType !== 'client' && nodeType !== 'selfhosted') refuse("nodeType must be 'client' or 'selfhosted'")
  const minConnections = count('minConnections', config.minConnections, MIN_CONNECTIONS)
  const maxConnections = count('maxConnections', config.maxConnections, Math.max(MAX_CONNECTIONS, minConnections))
  if (maxConnections < 1 || minConnections > maxConnections) {
    refuse('maxConnections must be at least 1 and not less than minConnections')
  }
  const { privateKey } = config
  if (privateKey !== undefined && !(privateKey instanceof Uint8Array)) refuse('privateKey must be a Uint8Array')
  return {
    nodeType,
    bootstrapPeers: strings('bootstrapPeers', config.bootstrapPeers ?? []),
    storePeers: strings('storePeers', config.storePeers ?? []),
    enableWebRTC: flag('enableWebRTC', config.enableWebRTC),
    enableDHT: flag('enableDHT', config.enableDHT),
    enableGossipsub: flag('enableGossipsub', config.enableGossipsub),
    minConnections,
    maxConnections,
    iceServers: iceServers(config.iceServers ?? []),
    privateKey,
    deviceId,
    storage: database(config.storage),
    deviceIdHex: toHex(deviceId),
  }
}

/** The database of the documents; undefined if they aren't kept. */
function database(storage: NodeConfig['storage']): string | undefined {
  if (storage === false || storage === undefined && !hasIndexedDB()) return undefined
  if (storage === true || storage === undefined) return DATABASE
  if (typeof storage !== 'object' || storage === null) refuse('storage must be true, false or { name }')
  const { name = DATABASE } = storage
  if (typeof name !== 'string' || name === '') refuse('the name of the storage must be a string')
  return name
}

/** The level as the module counts them. */
export function logLevel(level: LogLevel = 'off'): number {
  const index = LEVELS.indexOf(level)
  if (index < 0) refuse(`logLevel must be one of ${LEVELS.join(', ')}`)
  return index
}

function refuse(message: string): never {
  throw new VivimError('INVALID_CONFIG', message)
}

function flag(name: string, value: boolean | undefined): boolean {
  if (value !== undefined && typeof value !== 'boolean') refuse(`${name} must be true or false`)
  return value ?? true
}

function count(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault
  if (!Number.isInteger(value) || value < 0 || value > MAX_MAX_CONNECTIONS) {
    refuse(`${name} must be a whole number from 0 to ${MAX_MAX_CONNECTIONS}`)
  }
  return value
}

function strings(name: string, value: readonly string[]): string[] {
  if (!Array.isArray(value) || !value.every(entry => typeof entry === 'string')) {
    refuse(`${name} must be an array of strings`)
  }
  return [...value]
}

function iceServers(value: readonly IceServer[]): RawIceServer[] {
  if (!Array.isArray(value)) refuse('iceServers must be an array')
  return value.map((server: IceServer) => {
    const urls = typeof server?.urls === 'string' ? [server.urls] : strings('urls of an ICE server', server?.urls ?? [])
    const bad = urls.find(url => !/^(stun|turn)s?:/.test(url))
    if (urls.length === 0) refuse('an ICE server needs urls')
    if (bad !== undefined) refuse(`the ICE server ${JSON.stringify(bad)} must begin with stun:, stuns:, turn: or turns:`)
    return { urls, username: server.username, credential: server.credential }
  })
}
