import type { InterruptReason, Outcome } from '../../model/outcome.ts'
import type { SettlePlan } from '../../model/settle-plan.ts'
import type { Isolation as Where } from '../../tasks/isolate.ts'
import type { Attempt } from '../attempt.ts'
import type { ContextPorts } from '../context.ts'
import { AwayRun } from './away-run.ts'
import { Pool, type PoolOptions } from './pool.ts'

export interface IsolationOptions extends PoolOptions {
  readonly log: ContextPorts['log']
  /** A run has saved its progress. */
  readonly checkpointed: (attempt: Attempt) => void
  /** Whether other jobs of a queue would have to wait for a slot of this worker. */
  readonly crowded: (queue: string) => boolean
}

/** How a run that was not in this process ended. */
export interface AwayEvents {
  /** Its cell says so, and made the plan. */
  readonly planned: (plan: SettlePlan) => void
  /** It was stopped from here, or its cell died. */
  readonly ended: (outcome: Outcome) => void
}

const LIFE_MS = 1_000
const NO_CELL_PAUSE_MS = 5_000
const SOLO: Where = { in: 'process', recycleAfter: 1, heapMb: undefined }

/** Runs attempts in processes and threads of their own. */
export class Isolation {
  readonly #options: IsolationOptions
  readonly #pool: Pool
  readonly #away = new Set<AwayRun>()
  /** Each gives up waiting for a cell. */
  readonly #waits = new Set<(outcome: Outcome) => void>()
  #stopping = false

  constructor(options: IsolationOptions) {
    this.#options = options
    this.#pool = new Pool(options)
  }

  /** Has a cell ready for each task that wants one. */
  warm(places: Iterable<Where | undefined>): void {
    for (const place of places) if (place !== undefined) this.#pool.warm(place)
  }

  /** Whether this attempt must not run in the worker itself. */
  takes({ task, suspect }: Attempt): boolean {
    return task.isolate !== undefined || suspect
  }

  run(attempt: Attempt, events: AwayEvents): void {
    if (attempt.job.expired) return events.ended({ kind: 'expired' })
    const alone = attempt.suspect
    // A thread's death may be everybody's: a suspect gets a process.
    const where = alone ? { ...SOLO, heapMb: attempt.task.isolate?.heapMb } : (attempt.task.isolate ?? SOLO)
    let leave = (): void => {}
    const { stallAfter } = attempt.task
    // What waits for its cell does not stand still.
    const waiting = stallAfter && setInterval(() => attempt.steps++, Math.min(LIFE_MS, stallAfter / 8))
    const waited = (): void => {
      this.#waits.delete(giveUp)
      attempt.relay = undefined
      clearInterval(waiting)
    }
    const giveUp = (outcome: Outcome): void => {
      waited()
      leave()
      events.ended(outcome)
    }
    this.#waits.add(giveUp)
    attempt.relay = (reason) => giveUp(outcomeOfWait(reason))
    leave = this.#pool.take({
      isolation: where,
      alone,
      got: (cell) => {
        waited()
        if (cell === undefined) {
          const until = { kind: 'delay', ms: NO_CELL_PAUSE_MS } as const
          return events.ended({ kind: 'snoozed', until, reason: 'No process for an isolated run could be started' })
        }
        const run: AwayRun = new AwayRun(cell, attempt, {
          alone,
          ports: { ...this.#options, stopping: () => this.#stopping },
          onLeft: (spent) => {
            this.#away.delete(run)
            this.#pool.free(cell, where, alone || spent)
          },
          ...events,
        })
        this.#away.add(run)
        run.start()
      },
    })
  }

  /** The run fails with this error and is ended by force, if it is one that can be: the rest of the worker goes on. False: it is not here. */
  halt(attempt: Attempt, error: Error): boolean {
    const run = [...this.#away].find((each) => each.attempt === attempt)
    void run?.halt(error)
    return run !== undefined
  }

  /** The worker is about to go: what waits for a cell has not begun, and does not begin here. */
  stop(): void {
    this.#stopping = true
    for (const giveUp of this.#waits) giveUp({ kind: 'yielded' })
  }

  /** Ends everything that still runs: the worker must go. */
  cut(reason: InterruptReason): void {
    for (const run of this.#away) run.kill({ kind: 'interrupted', reason })
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}

/** It was told to stop before its code had begun. */
function outcomeOfWait(reason: InterruptReason): Outcome {
  if (reason === 'cancel') return { kind: 'cancelled' }
  if (reason === 'lease-lost' || reason === 'pause') return { kind: 'interrupted', reason }
  return { kind: 'yielded' }
}
