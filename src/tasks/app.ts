import type { Duration } from '../model/duration.ts'
import type { AnyTask } from './contract.ts'
import type { Policy } from './policy.ts'

export interface AppOptions {
  /** Tasks, and modules that export tasks (`import * as receipts from './receipts.ts'`; their other exports are ignored). */
  readonly tasks: readonly (AnyTask | Readonly<Record<string, unknown>>)[]
  readonly shutdown?: ShutdownOptions
  /** For tasks that do not say themselves. */
  readonly defaults?: Pick<Policy, 'retry' | 'timeLimit'>
  /** How long a worker keeps its jobs after its last sign of life: '2s' to '10m', default '12s'. Renewed three times in that span. */
  readonly lease?: Duration
  /** Jobs that one worker process runs at the same time: 1 to 10000, default 100. */
  readonly concurrency?: number
  /** How often an idle worker looks for jobs that no notification told it of: '50ms' to '1m', default '1s'. */
  readonly pollInterval?: Duration
  readonly policy?: {
    /** The longest time limit of a task that may not be interrupted: at most the shutdown budget. Default: '60s' or the budget. */
    readonly maxFinish?: Duration
    /** A task that may run for longer and cannot resume is named when the worker starts. Default '15m'. */
    readonly maxRun?: Duration
    /**
     * How long ready jobs may wait for a worker that takes them (their queue, task and version) before a worker names them. They go on
     * waiting: nothing fails for it. '1s' to '1d', default '60s'.
     */
    readonly maxUnserved?: Duration
  }
  readonly history?: HistoryOptions
}

export interface HistoryOptions {
  /** Keep completed jobs. Default true. Jobs that ended otherwise are always kept. */
  readonly completed?: boolean
  /** How long ended jobs are kept, in whole days: '1d' to '3650d', default '30d'. */
  readonly keep?: Duration
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
  /** The file whose default export is this app. A worker with isolated tasks needs it: their processes load it again. */
  readonly appFile?: string
  /** Aborting it shuts the worker down as a stop signal would. */
  readonly signal?: AbortSignal
}

/** A worker inside this process. Leaving its `await using` block shuts it down. */
export interface Work extends AsyncDisposable {
  /** Stops claiming, and resolves when it holds no job any more. */
  drain(): Promise<void>
}
