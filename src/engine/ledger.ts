/** One job of a claim is let go; `sure`: it stands in the database that this worker does not hold it any more. */
export interface LetGo {
  readonly claim: number
  readonly sure: boolean
}

/** Claims of which nothing is left. Of the unsure ones, the database may still hold a job: it must be asked before their row goes. */
export interface Emptied {
  readonly sure: readonly number[]
  readonly unsure: readonly number[]
}

interface Open {
  jobs: number
  sure: boolean
}

/**
 * This worker's side of the ledger: which claims it knows of, and how many of their jobs it still holds. What the database's side has
 * beyond this is a claim whose answer was lost.
 */
export class Ledger {
  readonly worker: number
  readonly #open = new Map<number, Open>()
  readonly #isHeld: () => boolean
  readonly #stoodStill: () => boolean
  #last = 0

  constructor(worker: number, isHeld: () => boolean, stoodStill = () => false) {
    this.worker = worker
    this.#isHeld = isHeld
    this.#stoodStill = stoodStill
  }

  /** Whether this incarnation's lease holds. */
  get held(): boolean {
    return this.#isHeld()
  }

  /** Whether its whole process stood still a moment ago. */
  get stoodStill(): boolean {
    return this.#stoodStill()
  }

  /** The number of the latest claim. */
  get last(): number {
    return this.#last
  }

  /** The number of a claim that is about to be sent. */
  begin(): number {
    const claim = ++this.#last
    this.#open.set(claim, { jobs: 0, sure: true })
    return claim
  }

  /** The claim's answer has come. */
  took(claim: number, jobs: number): void {
    if (jobs === 0) this.#open.delete(claim)
    else this.#open.set(claim, { jobs, sure: true })
  }

  /** The claim's answer was lost: whatever it took is to be given back. */
  lost(claim: number): void {
    this.#open.delete(claim)
  }

  /** Lets jobs go. The claims of which nothing is left stay known until `forget`: only then is it written. */
  letGo(jobs: readonly LetGo[]): Emptied {
    const sure: number[] = []
    const unsure: number[] = []
    for (const { claim, sure: isSure } of jobs) {
      const open = this.#open.get(claim)
      if (open === undefined) continue
      open.jobs--
      open.sure &&= isSure
      if (open.jobs === 0) (open.sure ? sure : unsure).push(claim)
    }
    return { sure, unsure }
  }

  forget(claims: readonly number[]): void {
    for (const claim of claims) this.#open.delete(claim)
  }

  /** Claims that this worker knows of, in flight ones included. */
  known(): number[] {
    return [...this.#open.keys()]
  }
}
