import { setImmediate as soon } from 'node:timers/promises'
import { HoldfastError } from '../model/errors.ts'
import type { Database, Queryable } from '../store/db.ts'
import { isConnectionTrouble, isTransient, wasNeverSent } from '../store/db-errors.ts'
import { enqueue, type NewJob } from '../store/enqueue.ts'
import { Waker } from './wake.ts'

const BATCH_JOBS = 1_000
const BATCH_BYTES = 4 * 1024 * 1024
/**
 * While one statement is on its way the next callers gather: a statement costs 350 µs of the server before its first job, 5 µs a job
 * after that. A second one starts only when enough have gathered to be worth it.
 */
const IN_FLIGHT = 2
const WORTH_ANOTHER = 100
const TRANSIENT_ATTEMPTS = 5

interface Caller {
  readonly job: NewJob
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * The way in. Concurrent single calls share one statement; each caller's promise resolves after the commit of its own statement,
 * and rejects alone when its job alone is at fault.
 */
export class Enqueuer {
  readonly #db: Database
  readonly #waker: Waker
  #waiting: Caller[] = []
  #inFlight = 0
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(db: Database) {
    this.#db = db
    this.#waker = new Waker(db)
  }

  one(job: NewJob): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#schedule()
    })
  }

  /** A batch of its own, all or none. */
  async batch(jobs: readonly NewJob[]): Promise<void> {
    try {
      await this.#send(jobs)
    } catch (error) {
      throw unknownFor(jobs, error)
    }
  }

  /** Inside a transaction of the caller's: ready jobs wake listeners when it commits. */
  async inside(on: Queryable, jobs: readonly NewJob[]): Promise<void> {
    const byQueue = Map.groupBy(jobs, (job) => job.queue)
    for (const [queue, group] of byQueue) await enqueue(this.#db, group, queue, on)
  }

  /** Resolves when nothing is waiting or on its way any more. */
  async close(): Promise<void> {
    if (this.#waiting.length > 0 || this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    await this.#waker.close()
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= IN_FLIGHT) return
    if (this.#inFlight > 0 && this.#waiting.length < WORTH_ANOTHER) return
    this.#scheduled = true
    void this.#flushSoon()
  }

  async #flushSoon(): Promise<void> {
    await soon()
    this.#scheduled = false
    if (this.#waiting.length === 0) return
    const callers = this.#take()
    this.#inFlight++
    try {
      await this.#deliver(callers)
    } finally {
      this.#inFlight--
      if (this.#waiting.length > 0) this.#schedule()
      else if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #take(): Caller[] {
    let bytes = 0
    let count = 0
    for (const caller of this.#waiting) {
      bytes += caller.job.input?.length ?? 0
      if (count === BATCH_JOBS || (count > 0 && bytes > BATCH_BYTES)) break
      count++
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting
      this.#waiting = []
      return all
    }
    return this.#waiting.splice(0, count)
  }

  async #deliver(callers: readonly Caller[]): Promise<void> {
    try {
      await this.#send(callers.map((caller) => caller.job))
      for (const caller of callers) caller.resolve()
    } catch (error) {
      if (callers.length === 1 || isConnectionTrouble(error)) {
        for (const caller of callers) caller.reject(unknownFor([caller.job], error))
        return
      }
      // The server refused the statement as a whole: nothing was written. One bad job must not fail the others.
      const half = Math.ceil(callers.length / 2)
      await this.#deliver(callers.slice(0, half))
      await this.#deliver(callers.slice(half))
    }
  }

  async #send(jobs: readonly NewJob[]): Promise<void> {
    const queues = new Set(jobs.filter((job) => job.after === null).map((job) => job.queue))
    const [only] = queues
    const wake = queues.size === 1 && only !== undefined && this.#waker.claimTurn(only) ? only : null
    for (let attempt = 1; ; attempt++) {
      try {
        await enqueue(this.#db, jobs, wake)
        break
      } catch (error) {
        if (!isTransient(error) || attempt === TRANSIENT_ATTEMPTS) throw error
      }
    }
    if (wake === null) for (const queue of queues) this.#waker.wake(queue)
  }
}

function unknownFor(jobs: readonly NewJob[], error: unknown): unknown {
  if (!isConnectionTrouble(error) || wasNeverSent(error)) return error
  const [first, last] = [jobs[0], jobs.at(-1)]
  const which = jobs.length === 1 ? `job ${first?.id}` : `${jobs.length} jobs, ${first?.id} to ${last?.id},`
  return new HoldfastError(
    'HF_ENQUEUE_UNKNOWN',
    `The connection broke before PostgreSQL answered: ${which} of task "${first?.task}" may or may not have been enqueued.`,
    { cause: error },
  )
}
