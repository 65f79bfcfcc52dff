import { readStart, start } from '../store/claims.ts'
import type { Database } from '../store/db.ts'
import { isWorthAnotherTry } from '../store/db-errors.ts'
import type { Attempt } from './attempt.ts'

interface Waiting {
  readonly attempt: Attempt
  readonly resolve: (started: boolean) => void
  readonly reject: (error: unknown) => void
}

const PAUSE_FIRST_MS = 50
const PAUSE_MOST_MS = 1_000

/**
 * At-most-once: the start is on record before the code runs. Attempts that start together share a statement. An unknown answer is
 * read back; one that stays unknown is no start, and the sweep or the settle calls the job lost.
 */
export class Starter {
  readonly #db: Database
  #waiting: Waiting[] = []

  constructor(db: Database) {
    this.#db = db
  }

  /** Resolves with whether this run may start its code. */
  start(attempt: Attempt): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => void this.#flush())
      this.#waiting.push({ attempt, resolve, reject })
    })
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      const started = await this.#record(waiting.map(({ attempt }) => attempt))
      for (const { attempt, resolve } of waiting) resolve(started.has(attempt.job.id))
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  async #record(attempts: readonly Attempt[]): Promise<Set<string>> {
    const fences = attempts.map(({ job: { id, run } }) => ({ id, run }))
    try {
      return await start(this.#db, fences)
    } catch (error) {
      if (!isWorthAnotherTry(error)) throw error
    }
    for (
      let pause = PAUSE_FIRST_MS;
      attempts.some((attempt) => attempt.ledger.held);
      pause = Math.min(pause * 2, PAUSE_MOST_MS)
    ) {
      try {
        // In this order: a start that is being committed just now holds up the second one, and is there when that has ended.
        const again = await start(this.#db, fences)
        const standing = await readStart(this.#db, fences)
        return new Set([...again, ...standing])
      } catch (error) {
        if (!isWorthAnotherTry(error)) throw error
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
    return new Set()
  }
}
