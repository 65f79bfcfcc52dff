/**
 * This worker's side of the ledger: which claims it knows of, and how many of their jobs it still holds. What the database's side has
 * beyond this is a claim whose answer was lost.
 */
export class Ledger {
  readonly worker: number
  readonly #open = new Map<number, number>()
  readonly #isHeld: () => boolean
  #next = 1

  constructor(worker: number, isHeld: () => boolean) {
    this.worker = worker
    this.#isHeld = isHeld
  }

  /** Whether this incarnation's lease holds. */
  get held(): boolean {
    return this.#isHeld()
  }

  /** The number of a claim that is about to be sent. */
  begin(): number {
    const claim = this.#next++
    this.#open.set(claim, 0)
    return claim
  }

  /** The claim's answer has come. */
  took(claim: number, jobs: number): void {
    if (jobs === 0) this.#open.delete(claim)
    else this.#open.set(claim, jobs)
  }

  /** The claim's answer was lost: whatever it took is to be given back. */
  lost(claim: number): void {
    this.#open.delete(claim)
  }

  /** Lets go of one job for each claim named; returns the claims of which nothing is left. */
  close(claims: readonly number[]): number[] {
    const empty: number[] = []
    for (const claim of claims) {
      const left = (this.#open.get(claim) ?? 0) - 1
      if (left > 0) {
        this.#open.set(claim, left)
        continue
      }
      if (this.#open.delete(claim)) empty.push(claim)
    }
    return empty
  }

  /** Claims that this worker knows of, in flight ones included. */
  known(): number[] {
    return [...this.#open.keys()]
  }
}
