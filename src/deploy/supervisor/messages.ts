import type { StoppedPolicy } from '../../engine/settle-verdict.ts'
import type { Unserved } from '../../model/unserved.ts'
import type { Drained } from '../drain.ts'

/** Names the file descriptor of a worker process's black box: what it must say on its way to a sudden end, one JSON object a line. */
export const BLACKBOX = 'HOLDFAST_BLACKBOX'

export interface ChildStarted {
  readonly kind: 'started'
  /** The worker's key in the database. */
  readonly key: number
  readonly name: string
  /** Where its jobs are. Stays between these two processes. */
  readonly url: string
  readonly schema: string
  readonly graceMs: number
  /** What it must know of the tasks to settle a job whose code had to be stopped with its process. */
  readonly tasks: Readonly<Record<string, StoppedPolicy>>
}

/** A few times a second. */
export interface ChildBeat {
  readonly kind: 'beat'
  /** Changes when a lease was lost. */
  readonly key: number
  readonly running: number
  readonly slots: number
  readonly claiming: boolean
  /** How many runs ended, by what was written of them. */
  readonly settled: Readonly<Record<string, number>>
  /** How often jobs that get nowhere were named, by kind. */
  readonly worries: Readonly<Record<string, number>>
  /** Ready jobs of the fleet that no live worker takes, if this worker is the one to look. */
  readonly unserved: readonly Unserved[]
}

/** It hands off: a stop signal reached it itself, or an error that nobody caught. */
export interface ChildStopping {
  readonly kind: 'stopping'
}

/** Its last word after a stop. `drained` is missing when it had not begun to work. */
export interface ChildStopped {
  readonly kind: 'stopped'
  readonly drained?: Drained | undefined
  /** It leaves before it is done: something may still be held that is not counted. */
  readonly late?: boolean
}

/** From a worker process to its supervisor. */
export type ChildMessage = ChildStarted | ChildBeat | ChildStopping | ChildStopped

/** From the supervisor to a worker process. `quiet`: claim nothing more, and stay. */
export type SupervisorMessage = { readonly kind: 'stop'; readonly reason: string } | { readonly kind: 'quiet' }
