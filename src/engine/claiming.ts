import type { Claimed } from '../store/claims.ts'
import { loadMarks, type Mark } from '../store/upkeep.ts'
import { expireLease, retireWorker } from '../store/workers.ts'
import { taskKeys } from '../tasks/versions.ts'
import { Claimer } from './claim.ts'
import { Life } from './incarnation.ts'
import type { LeaseKeeper } from './lease.ts'
import type { Ledger } from './ledger.ts'
import { acceptsOf } from './marks.ts'
import type { WorkerOptions } from './worker-options.ts'

export interface ClaimingOptions extends WorkerOptions {
  readonly keeper: LeaseKeeper
  /** Runs that have ended and are not written yet: they bound what may be claimed. */
  readonly unsettled: () => number
  readonly onClaimed: (jobs: readonly Claimed[], ledger: Ledger) => void
  /** The answer of a claim was lost, or refused. */
  readonly onClaimFailed: (error: unknown) => void
  /** After each renewal; false: the worker must not claim now. */
  readonly onMayClaim: (may: boolean) => void
  /** What is in this ledger is, or may be, somebody else's. */
  readonly onLost: (ledger: Ledger) => void
  readonly onTrouble: (what: string, error: unknown) => void
}

/** How long after its last word this process is surely gone. */
const EXIT_MS = 250

/** A worker's standing in the database: the key that it lives under there, and what it claims under it. */
export class Claiming {
  readonly #options: ClaimingOptions
  readonly #life: Life
  #claimer: Claimer | undefined
  #ended = false

  constructor(options: ClaimingOptions) {
    this.#options = options
    this.#life = new Life(options, options.keeper, {
      onMayClaim: (may) => {
        if (!may) this.hold(true)
        options.onMayClaim(may)
      },
      onGivenBack: (queues) => {
        for (const queue of queues) this.wake(queue)
      },
      onLost: options.onLost,
      onReborn: (ledger) => this.#claimer?.use(ledger),
      onTrouble: options.onTrouble,
    })
  }

  /** This worker's key in the database. */
  get key(): number | undefined {
    return this.#life.ledger?.worker
  }

  /** Jobs are claimed now. */
  get open(): boolean {
    return !this.#ended && this.#claimer?.isHeld === false
  }

  /** Whether a job of this queue that is ready now would have to wait for a slot of this worker. */
  isFull(queue: string): boolean {
    return this.#claimer?.isFull(queue) === true
  }

  risenMarks(): readonly Mark[] {
    return this.#claimer?.risenMarks() ?? []
  }

  /** From now on this worker is there, and its lease is kept. It claims nothing yet. */
  async register(): Promise<void> {
    const { db, tasks, queues, unsettled, onClaimed, onClaimFailed } = this.#options
    const takes = taskKeys(tasks)
    const [, marks] = await Promise.all([this.#life.register(), loadMarks(db, acceptsOf(takes), [...queues.keys()])])
    // Not the ledger of the registration: while the marks were read, this process may have stood still for longer than its lease.
    const { ledger } = this.#life
    if (ledger === undefined) return
    const claimer = { ...this.#options, takes, marks, unsettled, onClaimed, onTrouble: onClaimFailed }
    this.#claimer = new Claimer(claimer, ledger)
  }

  start(): void {
    this.#claimer?.start()
  }

  wake(queue: string): void {
    this.#claimer?.wake(queue)
  }

  wakeAll(): void {
    this.#claimer?.wakeAll()
  }

  /** The slot of a job of this queue is free again. */
  freed(queue: string): void {
    this.#claimer?.freed(queue)
  }

  /** What has ended is written. */
  settled(): void {
    this.#claimer?.settled()
  }

  /** While held, nothing is claimed. */
  hold(held: boolean): void {
    this.#claimer?.hold(held)
  }

  /** Claims no more, and when the lease is lost, no other begins. */
  end(): void {
    this.#ended = true
    this.#life.end()
  }

  /** Resolves when the claims in flight have landed. */
  async stop(): Promise<void> {
    this.end()
    await this.#claimer?.stop()
  }

  /**
   * The last word, after the last renewal. `busy`: code still runs, and its jobs may run elsewhere only when this process is gone. What it
   * could not give back, or never knew of, is released by the next sweep of another worker.
   */
  async leave(busy: boolean): Promise<void> {
    const { db } = this.#options
    const { key } = this
    if (key === undefined) return
    if (busy || !(await retireWorker(db, key))) await expireLease(db, key, busy ? EXIT_MS : 0)
  }
}
