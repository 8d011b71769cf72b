// Counts the changes of which no peer has said that it has applied them.

/** Marks that are kept while nobody answers; beyond it the last one moves on, which counts late. */
const MAX_MARKS = 256

/** Who has the update of this number has the first `changes` changes. */
interface Mark {
  number: number
  changes: number
}

export class Unsynced {
  #made = 0
  #covered = 0
  #number = 0
  #marks: Mark[] = []

  get count(): number {
    return this.#made - this.#covered
  }

  made(): void {
    this.#made += 1
  }

  /** The number of an update that carries everything made so far, with those before it. */
  next(): number {
    const mark = { number: this.#number += 1, changes: this.#made }
    if (this.#marks.length >= MAX_MARKS) this.#marks.pop()
    this.#marks.push(mark)
    return mark.number
  }

  /** A peer has everything up to this update; true if that is news. */
  reached(number: number): boolean {
    const before = this.#covered
    let mark = this.#marks[0]
    for (; mark !== undefined && mark.number <= number; mark = this.#marks[0]) {
      this.#covered = mark.changes
      this.#marks.shift()
    }
    return this.#covered > before
  }
}
