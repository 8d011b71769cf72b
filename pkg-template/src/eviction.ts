// Browsers may delete a site's database: for space, on request, or because a crash has torn it. The
// next opening finds an empty one and would look like a fresh start. A mark beside the database, in a
// storage that isn't part of it, tells the two apart.

const KEY = 'vivim:kept:'

/** Notes that this database holds something. */
export function markKept(database: string): void {
  try {
    localStorage.setItem(KEY + database, '1')
  } catch {
    // No mark, no warning: a page without localStorage, or a worker.
  }
}

/**
 * Whether the database held something once and is gone. Ask before it is opened, which makes a new
 * one; the answer is given once for each loss.
 */
export async function wasEvicted(database: string): Promise<boolean> {
  try {
    if (localStorage.getItem(KEY + database) === null || typeof indexedDB.databases !== 'function') return false
    const all = await indexedDB.databases()
    if (all.some(({ name }) => name === database)) return false
    localStorage.removeItem(KEY + database)
    return true
  } catch {
    return false
  }
}
