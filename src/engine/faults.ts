import type { VerdictKind } from '../model/verdict.ts'
import type { Database } from '../store/db.ts'
import type { Attempt } from './attempt.ts'
import { current } from './current.ts'
import { settleOwnVerdict } from './settle-verdict.ts'
import { verdictOn } from './verdict-on.ts'
import { stoppedPolicy } from './watched.ts'
import type { WorkerOptions } from './worker-options.ts'

export interface FaultsOptions {
  readonly db: Database
  /** The runs in progress. */
  readonly attempts: ReadonlySet<Attempt>
  readonly onCondemned: WorkerOptions['onCondemned']
  readonly log: WorkerOptions['log']
}

/** Runs whose fault it is that this process must go. */
export class Faults {
  readonly #options: FaultsOptions

  constructor(options: FaultsOptions) {
    this.#options = options
  }

  /** This run fails, and whoever replaces the process is told. */
  condemn(attempt: Attempt, kind: VerdictKind, error: unknown): void {
    const { attempts, onCondemned } = this.#options
    if (attempt.condemned !== undefined || !attempts.has(attempt)) return
    attempt.condemn(error)
    onCondemned?.(verdictOn(attempt, kind, error))
  }

  /**
   * An error that nobody caught, seen in its handler: whose code raised it? The run, if it is still going here, has failed with it.
   * @returns its job; undefined: nobody's, or of a run that has ended
   */
  blame(error: unknown): Attempt['job'] | undefined {
    const attempt = current.get()
    if (attempt === undefined || !this.#options.attempts.has(attempt)) return undefined
    this.condemn(attempt, 'exception', error)
    return attempt.job
  }

  /** Writes the failures of the condemned whose code still runs. For a process that goes the next moment and that nobody settles for. */
  async settle(): Promise<void> {
    const { db, attempts, log } = this.#options
    for (const attempt of attempts) {
      const { condemned, task, ledger } = attempt
      if (condemned === undefined) continue
      const verdict = verdictOn(attempt, 'exception', condemned.error)
      const written = await settleOwnVerdict(db, ledger.worker, verdict, stoppedPolicy(task))
      if (written)
        log('error', `Job failed: ${verdict.message}`, { job: attempt.job.id, task: task.name, run: attempt.job.run })
    }
  }
}
