// Waiting for something to be true, with a deadline and a message that says what was seen last.

/**
 * @template T
 * @param {string} what what is awaited, for the message of a failure
 * @param {() => T | Promise<T>} probe returns something truthy when it is there
 * @param {{ timeout?: number, interval?: number }} [options] milliseconds
 * @returns {Promise<Exclude<T, false | 0 | '' | null | undefined>>}
 */
export async function until(what, probe, { timeout = 20_000, interval = 25 } = {}) {
  const deadline = Date.now() + timeout
  /** @type {unknown} */
  let last
  for (;;) {
    try {
      const value = await within(probe(), Math.max(1, deadline - Date.now()), what)
      if (value) return /** @type {any} */ (value)
      last = value
    } catch (error) {
      last = error
    }
    if (Date.now() >= deadline) {
      throw new Error(`not within ${timeout} ms: ${what}; last seen: ${describe(last)}`, { cause: last })
    }
    await new Promise((resolve) => setTimeout(resolve, interval))
  }
}

/**
 * @template T
 * @param {T | Promise<T>} promise
 * @param {number} timeout milliseconds
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function within(promise, timeout, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${timeout} ms: ${what}`)), timeout)
  })
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)])
  } finally {
    clearTimeout(timer)
  }
}

/** @param {unknown} value */
function describe(value) {
  if (value instanceof Error) return value.message
  try {
    return JSON.stringify(value)
  } catch {
    return String(value)
  }
}
