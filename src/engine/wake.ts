import type { Database } from '../store/db.ts'
import { wake } from '../store/enqueue.ts'
import { monotonic } from './monotonic.ts'

/** The payload that says: somebody asked something of a running job. No queue can be called so. */
export const REQUESTS = '#requests'
/** For workers: a deploy has begun or ended. */
export const GATE = '#gate'
/** For whoever prepares a deploy: a worker has answered, or has ended something. */
export const HELD = '#held'

/** One wake-up per queue in this many ms: notifying commits serialise on a lock of the whole server (18,000 enqueues/s became 6,000). */
const EVERY_MS = 10

/**
 * Tells listening workers that a queue has ready jobs: at once when it has been quiet, else once at the end of a short pause.
 * Wake-ups are hints, so a failure is not reported.
 */
export class Waker {
  readonly #db: Database
  readonly #last = new Map<string, number>()
  readonly #pending = new Map<string, NodeJS.Timeout>()

  constructor(db: Database) {
    this.#db = db
  }

  /** True: the caller may notify now, with a statement of its own, and has used up the turn. */
  claimTurn(queue: string): boolean {
    const now = monotonic()
    if (now - (this.#last.get(queue) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return false
    this.#last.set(queue, now)
    return true
  }

  wake(queue: string): void {
    if (this.#pending.has(queue)) return
    if (this.claimTurn(queue)) return this.#send(queue)
    this.#pending.set(
      queue,
      setTimeout(() => this.#fire(queue), EVERY_MS),
    )
  }

  /** Sends what is still pending. */
  async close(): Promise<void> {
    const queues = [...this.#pending.keys()]
    for (const timer of this.#pending.values()) clearTimeout(timer)
    this.#pending.clear()
    await Promise.allSettled(queues.map((queue) => wake(this.#db, queue)))
  }

  #fire(queue: string): void {
    this.#pending.delete(queue)
    this.#last.set(queue, monotonic())
    this.#send(queue)
  }

  #send(queue: string): void {
    wake(this.#db, queue).catch(() => {})
  }
}
