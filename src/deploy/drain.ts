import { monotonic } from '../engine/monotonic.ts'
import { within } from '../engine/within.ts'
import type { Worker } from '../engine/worker.ts'
import type { ShutdownMode } from '../model/config.ts'
import type { InterruptReason } from '../model/outcome.ts'
import { type Crowded, handOffResumable } from './hand-off.ts'

export interface DrainOptions {
  readonly mode: ShutdownMode
  readonly reason: InterruptReason
  /** ms from now until the process must be gone; one budget over all queues and jobs. */
  readonly budget: number
  /** ms of it that jobs may run on. */
  readonly wait: number
  readonly crowded: Crowded
}

export interface Drained {
  /** Runs whose code would not end, or whose end could not be written. Their jobs are released when this process is gone. */
  readonly left: number
  /** Runs that were interrupted, and whose jobs are ready for other workers. */
  readonly handedOff: number
  /** Runs that came to an end of their own. */
  readonly finished: number
  readonly ms: number
}

/** Once told to stop for good, code has this much of the budget to end. */
const TAIL_MS = 2_000
const CONDEMNED_MS = 500
/** Enough for processes to die by SIGKILL, and for their jobs to be given back. */
const CUT_MS = 300
/** For so long an iteration goes on where nobody else could take it: about what a replacement needs to start. */
const LINGER_MS = 1_000

/**
 * Empties a worker. Claiming stops; what can resume or restart is handed off at once (mode `hand-off`; what can resume, when somebody could
 * take it), or with everything else at the end of the wait (`finish`), or everything now (`cold`). A job is given back only after its code has ended, so the end of the budget means
 * leaving, not giving back.
 */
export async function drain(worker: Worker, options: DrainOptions): Promise<Drained> {
  const { mode, reason, budget, wait, crowded } = options
  const begun = monotonic()
  const tail = Math.min(TAIL_MS, budget / 3)
  const abortAt = mode === 'cold' ? 0 : Math.max(0, Math.min(wait, budget - tail))

  const landed = worker.stopClaiming()
  if (mode === 'hand-off') {
    // An iteration stops at its next item, with everything saved. A restartable task has nothing to save: it is cut.
    void handOffResumable(worker, reason, crowded, reason === 'deploy' ? Math.min(LINGER_MS, budget / 3) : 0)
    worker.interrupt((attempt) => attempt.task.interrupt === 'restart', reason, true)
  }
  // Of code that was condemned nobody knows whether it ever ends: it is given a moment, not the whole budget.
  const others = landed.then(() => worker.quiet((attempt) => attempt.condemned !== undefined))
  const quiet = others.then(() => within(worker.quiet(), CONDEMNED_MS))
  if (!(await done(quiet, abortAt - (monotonic() - begun)))) {
    worker.interrupt(() => true, reason, true)
    if (!(await done(quiet, budget - CUT_MS - (monotonic() - begun)))) {
      worker.cut(reason)
      await done(quiet, budget - (monotonic() - begun))
    }
  }
  return { left: worker.attempts.size + worker.unsettled, ...worker.leaving, ms: monotonic() - begun }
}

async function done(work: Promise<unknown>, ms: number): Promise<boolean> {
  return (
    ms > 0 &&
    (await within(
      work.then(() => true),
      ms,
    )) === true
  )
}
