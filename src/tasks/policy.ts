import type { Legacy } from '../model/legacy.ts'
import type { RetryOptions } from '../model/retry.ts'
import type { TimeLimit } from '../model/time-limit.ts'
import type { Isolate } from './isolate.ts'

export type { Legacy, TimeLimit }

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
  /**
   * `'20s'`, or `{ soft: '20s', hard: '25s' }`. Default: `app({ defaults })`, but never more than `policy.maxFinish` for a task that must
   * finish; where nobody says, that for such a task, and none for others. The queue's `timeLimit` caps it.
   */
  readonly timeLimit?: TimeLimit
  /**
   * Runs in a process of their own (`true`) or a thread (`'thread'`), which can be stopped at the hard limit whatever its code does, and
   * whose death is nobody else's. They share no memory with other runs, and cost a fraction of a millisecond more. Default false.
   */
  readonly isolate?: Isolate
  /** Former names of this task: jobs that wait under one of them are run by it. */
  readonly aliases?: readonly string[]
}
