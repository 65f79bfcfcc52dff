const FIRST_MS = 500
const MOST_MS = 30_000
/** A process that worked for this long did not die of its start. */
const SETTLED_MS = 60_000

/** When to start a worker process again: at once after the first death, then later and later, and never not at all. */
export class RestartBackoff {
  #deaths = 0

  /** Deaths in a row. */
  get deaths(): number {
    return this.#deaths
  }

  /** ms until the next start, after a process that lived for `life` ms. */
  after(life: number): number {
    if (life >= SETTLED_MS) this.#deaths = 0
    this.#deaths++
    return this.#deaths === 1 ? 0 : Math.min(FIRST_MS * 2 ** (this.#deaths - 2), MOST_MS)
  }
}
