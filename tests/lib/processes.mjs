// Child processes: started, found with all their descendants, stopped, continued and ended, always by id.

import { spawn } from 'node:child_process'
import { createWriteStream, readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { within } from './wait.mjs'

/** Time a process gets to end after SIGTERM before it is killed. */
const END_TIMEOUT_MS = 5_000

/**
 * @typedef {object} Child
 * @property {number} pid
 * @property {Promise<number | null>} exited resolves with the exit code
 * @property {string[]} lines what it printed so far, both streams
 * @property {(match: (line: string) => boolean, timeout?: number) => Promise<string>} line waits for a printed line
 * @property {() => boolean} running
 * @property {() => Promise<void>} end SIGTERM, then SIGKILL
 * @property {() => Promise<void>} kill SIGKILL
 */

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string, log?: string }} [options]
 * @returns {Child}
 */
export function start(command, args, { env = {}, cwd, log } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const file = log ? createWriteStream(log, { flags: 'a' }) : undefined
  /** @type {string[]} */
  const lines = []
  /** @type {Set<(line: string) => void>} */
  const watchers = new Set()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      file?.write(`${line}\n`)
      for (const watcher of watchers) watcher(line)
    })
  }
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      lines.push(`could not start ${command}: ${error.message}`)
      resolve(null)
    })
    child.once('exit', (code) => resolve(code))
  })
  const running = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined
  /** @param {NodeJS.Signals} signal */
  const signal = async (signal) => {
    if (!running()) return
    child.kill(signal)
    await exited
  }
  return {
    pid: child.pid ?? 0,
    exited,
    lines,
    running,
    line: (match, timeout = 20_000) => {
      const seen = lines.find(match)
      if (seen !== undefined) return Promise.resolve(seen)
      /** @type {((line: string) => void) | undefined} */
      let watcher
      const found = new Promise((resolve, reject) => {
        watcher = (line) => match(line) && resolve(line)
        watchers.add(watcher)
        exited.then((code) => reject(new Error(`${command} ended (${code}) early:\n${lines.slice(-20).join('\n')}`)))
      })
      return within(found, timeout, `a line of ${command}; it printed:\n${lines.slice(-20).join('\n')}`).finally(() =>
        watchers.delete(/** @type {(line: string) => void} */ (watcher)),
      )
    },
    end: async () => {
      if (!running()) return
      child.kill('SIGTERM')
      await within(exited, END_TIMEOUT_MS, 'end').catch(() => signal('SIGKILL'))
    },
    kill: () => signal('SIGKILL'),
  }
}

/**
 * @param {number} root
 * @returns {number[]} the process and all its descendants, parents first
 */
export function tree(root) {
  /** @type {Map<number, number[]>} */
  const children = new Map()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const parent = parentOf(pid)
    if (parent === undefined) continue
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  /** @type {number[]} */
  const found = []
  /** @param {number} pid */
  const walk = (pid) => {
    found.push(pid)
    for (const child of children.get(pid) ?? []) walk(child)
  }
  walk(root)
  return found
}

/**
 * Sends a signal to a process and all its descendants; those that have ended meanwhile are passed over.
 * @param {number} root
 * @param {NodeJS.Signals} signal
 */
export function signalTree(root, signal) {
  for (const pid of tree(root)) {
    try {
      process.kill(pid, signal)
    } catch {
      // It ended between the listing and now.
    }
  }
}

/**
 * The process whose command line holds `argument` and that is no helper of such a process (Chromium's main process
 * has no `--type`).
 * @param {string} argument
 * @returns {number | undefined}
 */
export function findMain(argument) {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const args = read(`/proc/${pid}/cmdline`)?.split('\0')
    if (args?.includes(argument) && !args.some((arg) => arg.startsWith('--type='))) return pid
  }
  return undefined
}

/** @param {number} pid */
function parentOf(pid) {
  const stat = read(`/proc/${pid}/stat`)
  // The name is in parentheses and may hold spaces: the fields begin after the last one.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields ? Number(fields[1]) : undefined
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
