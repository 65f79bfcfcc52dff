import type { Duration } from '../model/duration.ts'
import type { RetryOptions } from '../model/retry.ts'
import type { Isolate } from './isolate.ts'

/**
 * How long one run may take. `soft`: the run's `signal` aborts and the code may clean up. `hard`: the run has failed.
 * A single duration is both at once.
 */
export type TimeLimit = Duration | { readonly soft: Duration; readonly hard: Duration }

/** How a task is run: known to the worker only, so it may import what it likes. */
export interface Policy {
  /**
   * After a failure: the code threw, or timed out. Interruptions by deploys and lost workers are none, and use up no retry.
   * What is left out comes from `app({ defaults })`, then from `RetryOptions`' own. `false`: the first failure is final.
   */
  readonly retry?: RetryOptions | false
  /**
   * `'at-least-once'` (default): an interrupted or lost run starts again elsewhere.
   * `'at-most-once'`: the start is recorded before the code runs, and nothing starts it again; so it takes no `retry`.
   */
  readonly delivery?: 'at-least-once' | 'at-most-once'
  /** Default: `app({ defaults })`, else none for an iteration, and the shutdown budget or 60 s, whichever is less, for a task that must finish. */
  readonly timeLimit?: TimeLimit
  /**
   * Runs in a process of their own (`true`) or a thread (`'thread'`), which can be stopped at the hard limit whatever its code does, and
   * whose death is nobody else's. They share no memory with other runs, and cost a fraction of a millisecond more. Default false.
   */
  readonly isolate?: Isolate
  /** Former names of this task: jobs that wait under one of them are run by it. */
  readonly aliases?: readonly string[]
}
