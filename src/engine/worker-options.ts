import type { Verdict } from '../model/verdict.ts'
import type { Database } from '../store/db.ts'
import type { TaskDefinition } from '../tasks/definition.ts'
import type { Manifest } from '../tasks/manifest.ts'
import type { ContextPorts } from './context.ts'
import type { Boot } from './isolation/messages.ts'
import type { EngineTransactions } from './transactions.ts'

/** Everything that a worker is told; nothing is left to decide. */
export interface WorkerOptions {
  readonly db: Database
  /** Direct connection string, for LISTEN and for renewals; undefined: polling alone. */
  readonly listenUrl: string | undefined
  readonly name: string
  readonly build: string
  readonly release: string
  /** Which app it runs, where several share a database. */
  readonly app?: string | undefined
  /** The deploy whose new code this says it is. */
  readonly token?: string | undefined
  /** What it says of its code when it registers. */
  readonly manifest: Manifest
  /** By every name that a job may carry: aliases too. */
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  /** Each queue with the number of its jobs that may run here at the same time. */
  readonly queues: ReadonlyMap<string, number>
  readonly transactions: EngineTransactions
  readonly newJob: ContextPorts['newJob']
  readonly concurrency: number
  /** Where isolated runs take place; undefined: this worker has none. */
  readonly isolation: { readonly entry: URL; readonly boot: Boot } | undefined
  /** ms */
  readonly lease: number
  /** ms */
  readonly pollInterval: number
  /**
   * File descriptor on which a supervisor hears why this process dies. It also sees that it dies, settles the culprit and gives back what is
   * left: no lease has to run out. Undefined: nobody does.
   */
  readonly blackbox?: number | undefined
  /** There was a supervisor, and it is gone: nobody sees how this process ends. */
  readonly orphaned?: (() => boolean) | undefined
  /** A run made this process useless. */
  readonly onCondemned?: (verdict: Verdict) => void
  /** ms that the event loop may be blocked, by code that has no limit, before the lease is given up. */
  readonly maxBlock: number
  /** ms between two periodic checkpoints. */
  readonly checkpointEvery: number
  /** ms that a run may take of which a stop keeps nothing, before it is named. */
  readonly maxRun: number
  /** ms that ready jobs may wait for a worker that takes them before they are named. */
  readonly maxUnserved: number
  /** Keep completed jobs in the history. */
  readonly keepCompleted: boolean
  /** ms that ended jobs are kept. */
  readonly historyKeep: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string, data?: object) => void
}
