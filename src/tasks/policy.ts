import type { Duration } from '../model/duration.ts'

/**
 * What happens after a failure (the code threw, or timed out). Interruptions by deploys and crashes are not failures
 * and use up no retry.
 */
export interface Retry {
  /** How many times a job may run again after a failure. Default 3. */
  readonly limit?: number
  /** The wait before the first retry. Default '5s'. */
  readonly backoff?: Duration
  /** By how much each further wait is longer than the one before. Default 2: 5, 10, 20 … s. */
  readonly factor?: number
  /** The longest wait. Default '1h'. */
  readonly max?: Duration
  /** `'full'` (default) draws each wait between zero and its computed length, so that jobs which failed together do not return together. */
  readonly jitter?: 'full' | 'none'
  /** Retry only these errors: a list of classes, or a predicate. Anything else fails the job at once. Default: every error. */
  // biome-ignore lint/suspicious/noExplicitAny: constructors of any signature
  readonly on?: readonly (abstract new (...args: any[]) => Error)[] | ((error: unknown) => boolean)
}

/**
 * How long one run may take. `soft`: the run's `signal` aborts and the code may clean up. `hard`: the run has failed.
 * A single duration is both at once.
 */
export type TimeLimit = Duration | { readonly soft: Duration; readonly hard: Duration }

/** How a task is run: known to the worker only, so it may import what it likes. */
export interface Policy {
  /** Default: `app({ defaults })`, else `{ limit: 3, backoff: '5s', factor: 2, max: '1h', jitter: 'full' }`. `false`: the first failure is final. */
  readonly retry?: Retry | false
  /**
   * `'at-least-once'` (default): an interrupted or lost run starts again elsewhere.
   * `'at-most-once'`: the start is recorded before the code runs, and nothing starts it again; so it takes no `retry`.
   */
  readonly delivery?: 'at-least-once' | 'at-most-once'
  /** Default: `app({ defaults })`, else none for an iteration, and the shutdown budget or 60 s, whichever is less, for a task that must finish. */
  readonly timeLimit?: TimeLimit
  /** Former names of this task: jobs that wait under one of them are run by it. */
  readonly aliases?: readonly string[]
}
