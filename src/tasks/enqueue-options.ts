import type { Duration } from '../model/duration.ts'

/** Lower is sooner: within a queue, 0 is claimed first and 9 last. */
export type Priority = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

export interface EnqueueOptions<Q extends string, Tx> {
  /** Your open transaction: the job exists if and only if it commits. Without it, `enqueue` resolves after its own commit. */
  readonly tx?: Tx
  /** Another queue than the task's. */
  readonly queue?: Q
  /** Not before: a time from now (the database's clock), or a moment. Default: at once. */
  readonly after?: Duration | Date
  /** Not later: a job that has not started by then is not run any more. Default: the contract's `expires`, else never. */
  readonly expires?: Duration | Date
  /** 0 is claimed first, 9 last. Default: the contract's, else 5. */
  readonly priority?: Priority
}

/** The job that `enqueue` made. */
export interface Enqueued {
  /** A UUIDv7: sorts by creation. */
  readonly id: string
}
