import type { Saved } from './port.ts'

/** Counts what a run has done, and how fast. */
export class Tracker {
  readonly #startedAt = performance.now()
  readonly #startedWith: number
  items: number
  total: number | undefined
  cursor: unknown

  constructor(items: number, total: number | undefined, cursor: unknown) {
    this.#startedWith = items
    this.items = items
    this.total = total
    this.cursor = cursor
  }

  /** No defaults: a source that gives no cursor must be refused, not be saved with the cursor of the item before. */
  saved(items: number, cursor: unknown): Saved {
    const seconds = (performance.now() - this.#startedAt) / 1000
    const rate = seconds > 0.05 ? (items - this.#startedWith) / seconds : undefined
    return { items, cursor, total: this.total, rate }
  }
}
