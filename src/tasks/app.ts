import type { Duration } from '../model/duration.ts'
import type { AnyTask } from './contract.ts'
import type { Policy } from './policy.ts'

export interface AppOptions {
  /** Tasks, and modules that export tasks (`import * as receipts from './receipts.ts'`; their other exports are ignored). */
  readonly tasks: readonly (AnyTask | Readonly<Record<string, unknown>>)[]
  readonly shutdown?: ShutdownOptions
  /** For tasks that do not say themselves. */
  readonly defaults?: Pick<Policy, 'retry' | 'timeLimit'>
}

/** One budget for the whole process, over all queues and jobs. */
export interface ShutdownOptions {
  /** What the platform leaves between its stop signal and SIGKILL. Default: HOLDFAST_GRACE, else '30s'. */
  readonly grace?: Duration
  /**
   * `'hand-off'` (default): what can resume or restart is given to other workers at once. `'finish'`: everything runs on
   * until the budget is used, then is handed off. `'cold'`: everything is stopped and handed off at once.
   */
  readonly mode?: 'hand-off' | 'finish' | 'cold'
}

export interface WorkOptions<Q extends string> {
  /** Default: all. */
  readonly queues?: readonly Q[]
  /** Jobs that run at the same time. */
  readonly concurrency?: number
  /** Aborting it shuts the worker down as a stop signal would. */
  readonly signal?: AbortSignal
}

/** A worker inside this process. Leaving its `await using` block shuts it down. */
export interface Work extends AsyncDisposable {
  /** Stops claiming, and resolves when it holds no job any more. */
  drain(): Promise<void>
}
