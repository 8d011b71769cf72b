// Counts the changes of which no peer has said that it has applied them.

/** Marks that are kept; beyond it neighbours become one, which counts a little late. */
const MAX_MARKS = 256

/** The first `changes` changes are covered when the node's update of this number is acknowledged. */
interface Mark {
  update: number
  changes: number
}

export class Unsynced {
  #made = 0
  #covered = 0
  #marks: Mark[] = []

  get count(): number {
    return this.#made - this.#covered
  }

  made(changes: number): void {
    this.#made += changes
  }

  /** A place was opened: the first exchange with each peer carries everything made before. */
  opened(): void {
    this.#marks = [{ update: 0, changes: this.#made }]
  }

  /** Update `update` of the place carries everything made so far, with those before it. */
  sent(update: number): void {
    const last = this.#marks.at(-1)
    if (last !== undefined && this.#marks.length >= MAX_MARKS) Object.assign(last, { update, changes: this.#made })
    else this.#marks.push({ update, changes: this.#made })
  }

  /** A peer has everything up to this update. */
  acknowledged(update: number): void {
    const after = this.#marks.findIndex(mark => mark.update > update)
    const done = after === -1 ? this.#marks : this.#marks.slice(0, after)
    const last = done.at(-1)
    if (last === undefined) return
    this.#covered = Math.max(this.#covered, last.changes)
    this.#marks = after === -1 ? [] : this.#marks.slice(after)
  }
}
