import type { ConfigOptions } from '../model/config.ts'
import type { AnyTask } from './contract.ts'
import type { Policy } from './policy.ts'

export interface AppOptions extends ConfigOptions {
  /** Tasks, and modules that export tasks (`import * as receipts from './receipts.ts'`; their other exports are ignored). */
  readonly tasks: readonly (AnyTask | Readonly<Record<string, unknown>>)[]
  /** For tasks that do not say themselves. */
  readonly defaults?: Pick<Policy, 'retry' | 'timeLimit'>
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
