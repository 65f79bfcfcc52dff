import type { Database } from '../store/db.ts'
import { cancel, unseenCancels } from '../store/operations.ts'
import { FIRST_PROGRESS, forgetProgress, maintainPartitions, prune, summarizeHistory } from '../store/partitions.ts'
import { FROM_THE_BEGINNING, liftStragglers, nextDue, promote, type Readied, raiseFloor } from '../store/upkeep.ts'
import { releaseExpired } from './release-expired.ts'
import { Service } from './service.ts'
import { within } from './within.ts'

export interface UpkeepOptions {
  readonly db: Database
  /** ms */
  readonly lease: number
  /** ms that ended jobs are kept. */
  readonly keep: number
  readonly onReady: (queue: string) => void
  readonly onRevoked: (worker: string, jobs: number) => void
  readonly onTrouble: (what: string, error: unknown) => void
}

const PROMOTE_MOST = 1_000
const PROMOTE_EVERY_MS = 1_000
/** Jobs that were due more than a minute ago when they were committed. */
const FULL_PROMOTE_EVERY_MS = 60_000
const LIFT_EVERY_MS = 1_000
const LIFT_MOST = 1_000
const CANCEL_EVERY_MS = 1_000
/** A fresh worker claims first: at a rolling restart, each one's look at everything would come at the same time as its first jobs. */
function startPause(): number {
  return 5_000 + Math.random() * 10_000
}

/** Once in this long the sweep looks from the very beginning: the net under everything that the floor may have missed. */
const DEEP_EVERY_MS = 5 * 60_000
const AGAIN_AFTER_MS = 30_000
const PRUNE_EVERY_MS = 60 * 60_000
const SUMMARIZE_EVERY_MS = 60_000
/** Rows of progress to look at in a minute. */
const FORGET_MOST = 1_000
const PREPARE_MOST_MS = 5_000

/**
 * What every worker does for all: makes due jobs ready, gives the jobs of dead workers back, finds jobs that the marks would miss,
 * ends jobs whose run came to another end before it saw that it was cancelled, drops days of history. Any number of workers may do it
 * at once; row locks share the work out.
 */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #promote: Service
  readonly #sweep: Service
  readonly #lift: Service
  readonly #cancel: Service
  readonly #prune: Service
  #deepAt = performance.now() + startPause()
  #pruneAt = 0
  #fullPromoteAt = 0
  #forgottenTo = FIRST_PROGRESS
  #dueFrom = FROM_THE_BEGINNING
  #reset = false
  /** The last sweep for stragglers had more to lift than it may at once: it began here. */
  #sweptFrom: number | undefined

  constructor(options: UpkeepOptions) {
    const { onTrouble, lease } = options
    this.#options = options
    this.#promote = new Service(
      () => this.#promoteDue(),
      (error) => onTrouble('promoting due jobs', error),
    )
    this.#sweep = new Service(
      () => this.#sweepExpired(Math.min(1_000, lease / 4)),
      (error) => onTrouble('sweeping', error),
    )
    this.#lift = new Service(
      () => this.#liftStragglers(),
      (error) => onTrouble('looking for stragglers', error),
    )
    this.#cancel = new Service(
      () => this.#cancelUnseen(),
      (error) => onTrouble('cancelling', error),
    )
    this.#prune = new Service(
      () => this.#pruneOld(),
      (error) => onTrouble('pruning', error),
    )
  }

  /**
   * Before anything is settled: today and tomorrow have their partitions. A row on its way to the default partition is refused while
   * its day is attached, which inside a user's transaction would fail the run.
   */
  async prepare(): Promise<void> {
    const { db, keep, onTrouble } = this.#options
    const made = maintainPartitions(db, keep, 1).catch((error: unknown) => onTrouble('preparing the history', error))
    await within(made, PREPARE_MOST_MS)
  }

  start(): void {
    this.#promote.start()
    this.#sweep.start()
    this.#lift.start()
    this.#cancel.start()
    this.#prune.start(startPause())
  }

  /** A claim's answer was lost: its rows may be ready again below the marks. */
  claimsMayHaveRolledBack(): void {
    this.#reset = true
  }

  stopPromoting(): void {
    void this.#promote.stop()
    void this.#lift.stop()
    void this.#cancel.stop()
    void this.#prune.stop()
  }

  async stop(): Promise<void> {
    await Promise.all([
      this.#promote.stop(),
      this.#sweep.stop(),
      this.#lift.stop(),
      this.#cancel.stop(),
      this.#prune.stop(),
    ])
  }

  async #promoteDue(): Promise<number> {
    const { db, onReady } = this.#options
    const now = performance.now()
    const from = now >= this.#fullPromoteAt ? FROM_THE_BEGINNING : this.#dueFrom
    const ready = await promote(db, PROMOTE_MOST, from)
    for (const { queue } of ready) onReady(queue)
    if (countOf(ready) === PROMOTE_MOST) return 0
    if (from === FROM_THE_BEGINNING) this.#fullPromoteAt = now + FULL_PROMOTE_EVERY_MS
    const next = await nextDue(db, from)
    this.#dueFrom = next.from
    return next.ms === undefined ? PROMOTE_EVERY_MS : Math.max(5, Math.min(next.ms, PROMOTE_EVERY_MS))
  }

  async #sweepExpired(every: number): Promise<number> {
    const { db, onReady, onRevoked } = this.#options
    await releaseExpired(db, { onReady, onRevoked })
    return every
  }

  async #cancelUnseen(): Promise<number> {
    const { db } = this.#options
    for (const { id, ...by } of await unseenCancels(db)) await cancel(db, id, by)
    return CANCEL_EVERY_MS
  }

  async #pruneOld(): Promise<number> {
    const { db, keep } = this.#options
    const now = performance.now()
    if (now >= this.#pruneAt) {
      await maintainPartitions(db, keep)
      await prune(db, keep)
      this.#pruneAt = now + PRUNE_EVERY_MS
    }
    this.#forgottenTo = await forgetProgress(db, this.#forgottenTo, FORGET_MOST)
    await summarizeHistory(db)
    return SUMMARIZE_EVERY_MS
  }

  async #liftStragglers(): Promise<number> {
    const { db, onReady } = this.#options
    const floor = this.#sweptFrom ?? (await this.#nextSweep())
    if (floor === undefined) return LIFT_EVERY_MS
    const lifted = await liftStragglers(db, floor, LIFT_MOST)
    for (const { queue } of lifted) onReady(queue)
    // There are more, and the next sweep would begin above them.
    const more = countOf(lifted) === LIFT_MOST
    this.#sweptFrom = more ? floor : undefined
    return more ? 0 : LIFT_EVERY_MS
  }

  /** Where the next sweep for stragglers begins. */
  async #nextSweep(): Promise<number | undefined> {
    const now = performance.now()
    const reset = this.#reset || now >= this.#deepAt
    const floor = await raiseFloor(this.#options.db, { reset, every: LIFT_EVERY_MS * 0.8 })
    if (reset) {
      // Once more soon after trouble: a claim that was in flight then may roll back a little later.
      this.#deepAt = now + (this.#reset ? AGAIN_AFTER_MS : DEEP_EVERY_MS * (0.8 + Math.random() * 0.4))
      this.#reset = false
    }
    return floor
  }
}

function countOf(readied: readonly Readied[]): number {
  return readied.reduce((sum, { jobs }) => sum + jobs, 0)
}
