import { Interrupted } from '../model/interrupted.ts'
import type { InterruptReason } from '../model/outcome.ts'
import type { Unserved } from '../model/unserved.ts'
import type { WorryKind } from '../model/worry.ts'
import type { Hold } from '../store/gate.ts'
import type { Attempt } from './attempt.ts'
import { Claiming } from './claiming.ts'
import { Ears } from './ears.ts'
import { Faults } from './faults.ts'
import { factsOf } from './held-jobs.ts'
import { LeaseKeeper } from './lease.ts'
import { giveBackTime } from './lost-time.ts'
import { Runs } from './runs.ts'
import { sayBlocked } from './story.ts'
import { Troubles } from './troubles.ts'
import { HELD, Waker } from './wake.ts'
import { letWatch } from './watched.ts'
import { Watches } from './watches.ts'
import { within } from './within.ts'
import type { WorkerOptions } from './worker-options.ts'
import { Worries } from './worries.ts'

export interface CloseOptions {
  /** ms */
  readonly patience?: number
  /** This process is gone the moment after. */
  readonly exits: boolean
}

const LAST_WORD_MS = 3_000

/**
 * One worker process's engine: claims to its free slots, runs, settles, and keeps its lease. When it loses the lease, everything it
 * held is aborted and a new incarnation goes on.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #attempts = new Set<Attempt>()
  readonly #troubles: Troubles
  readonly #waker: Waker
  readonly #worries: Worries
  readonly #keeper: LeaseKeeper
  readonly #faults: Faults
  readonly #runs: Runs
  readonly #claiming: Claiming
  readonly #ears: Ears
  readonly #watches: Watches
  #stopping = false
  #gone = false

  constructor(options: WorkerOptions) {
    const { db, log } = options
    const attempts = this.#attempts
    const worker = (): number | undefined => this.key
    const inDoubt = (): boolean => this.#keeper.pulse.inDoubt
    const onTrouble = (what: string, error: unknown): void => this.#trouble(what, error)
    this.#options = options
    this.#troubles = new Troubles((message) => log('warn', `Trouble while ${message}`))
    this.#waker = new Waker(db)
    this.#worries = new Worries({ attempts, maxRun: options.maxRun, log })
    this.#keeper = new LeaseKeeper(options.maxBlock, {
      blackbox: options.blackbox,
      tasks: new Map([...options.tasks].map(([name, task]) => [name, factsOf(task)])),
      onUnblocked: (blockage) => {
        giveBackTime(attempts, blockage)
        sayBlocked(blockage, log)
      },
    })
    letWatch()
    this.#faults = new Faults({
      db,
      attempts,
      onCondemned: (verdict) => {
        options.onCondemned?.(verdict)
        this.#runs.recheck()
      },
      log,
    })
    this.#runs = new Runs({
      ...options,
      attempts,
      waker: this.#waker,
      worries: this.#worries,
      faults: this.#faults,
      crowded: (queue) => this.#claiming.isFull(queue),
      inDoubt,
      onFreed: (queue) => this.#claiming.freed(queue),
      onSettled: () => {
        this.#claiming.settled()
        if (this.#ears.held) this.#waker.wake(HELD)
      },
      onTrouble,
    })
    this.#claiming = new Claiming({
      ...options,
      keeper: this.#keeper,
      unsettled: () => this.#runs.unsettled,
      onClaimed: (jobs, ledger) => this.#runs.take(jobs, ledger),
      onClaimFailed: (error) => {
        onTrouble('claiming', error)
        this.#watches.claimsMayHaveRolledBack()
      },
      onMayClaim: (may) => this.#ears.mayClaim(may),
      onLost: (ledger) => this.interrupt((attempt) => attempt.ledger === ledger, 'lease-lost', true),
      onTrouble,
    })
    this.#ears = new Ears({
      ...options,
      worker,
      onReady: (queue) => this.#claiming.wake(queue),
      onConnect: () => this.#claiming.wakeAll(),
      onRequest: () => this.#watches.hear(),
      onLook: (hold) => this.#heldBy(hold),
      onAnswered: () => this.#waker.wake(HELD),
      onTrouble,
    })
    this.#watches = new Watches({
      ...options,
      attempts,
      worries: this.#worries,
      worker,
      inDoubt,
      waits: (attempt) => attempt.steps === 0 && this.#runs.isolated(attempt),
      hardStop: (attempt, error) => {
        // A process of its own goes alone.
        if (!this.#runs.halt(attempt, error)) this.#faults.condemn(attempt, 'stalled', error)
      },
      risenMarks: () => this.#claiming.risenMarks(),
      onReady: (queue) => {
        this.#claiming.wake(queue)
        this.#waker.wake(queue)
      },
      onTrouble,
    })
  }

  /** This worker's key in the database. */
  get key(): number | undefined {
    return this.#claiming.key
  }

  /** The runs in progress. */
  get attempts(): ReadonlySet<Attempt> {
    return this.#attempts
  }

  /** Runs whose code has ended, and whose end is not written yet. */
  get unsettled(): number {
    return this.#runs.unsettled
  }

  /** How often jobs that get nowhere were named, by kind. */
  get worries(): Readonly<Record<WorryKind, number>> {
    return this.#worries.counts
  }

  /** Ready jobs that no live worker takes, for too long; empty where another worker looks. */
  get unserved(): readonly Unserved[] {
    return this.#watches.unserved
  }

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return this.#runs.tally.leaving
  }

  /** How many runs ended, by what was written of them. */
  get settled(): Readonly<Record<string, number>> {
    return this.#runs.tally.settled
  }

  /** Whether another job of this queue would have to wait for a slot here. */
  isFull(queue: string): boolean {
    return this.#claiming.isFull(queue)
  }

  get claiming(): boolean {
    return this.#claiming.open
  }

  async start(): Promise<void> {
    await Promise.all([this.#claiming.register(), this.#watches.prepare()])
    this.#ears.open()
    if (this.#stopping) return
    this.#runs.warm()
    this.#claiming.start()
    this.#ears.start()
    this.#watches.start()
  }

  /** Claims no more. Resolves when the claims in flight have landed (what they took is given back). */
  async stopClaiming(): Promise<void> {
    this.#stop()
    this.#watches.stopPromoting()
    const landed = this.#claiming.stop()
    this.#runs.settleAfter(landed)
    await landed
  }

  /** Asks runs to stop; `now` also aborts their signals. */
  interrupt(which: (attempt: Attempt) => boolean, reason: InterruptReason, now: boolean): void {
    for (const attempt of this.#attempts) {
      if (which(attempt)) attempt.interrupt(reason, new Interrupted(reason), now)
    }
  }

  /** Ends by force what can be: runs in processes of their own. */
  cut(reason: InterruptReason): void {
    this.#runs.cut(reason)
  }

  /** An error that nobody caught. @returns the job whose code raised it, which fails; undefined: nobody's */
  blame(error: unknown): Attempt['job'] | undefined {
    return this.#faults.blame(error)
  }

  /** Resolves when no code runs any more and everything is written; of the code that was condemned nobody knows whether it ever ends. */
  quiet(but: (attempt: Attempt) => boolean = () => false): Promise<void> {
    return this.#runs.quiet(but)
  }

  /**
   * The end, within `patience` ms. A job whose code still runs may run elsewhere only when it does not run here any more: a process that exits
   * now lets its lease run out in an instant; in one that stays, the lease is kept until the code has ended.
   */
  async close({ patience = LAST_WORD_MS, exits }: CloseOptions): Promise<void> {
    this.#stop()
    const bounded = async (work: Promise<unknown>): Promise<void> => {
      await within(work, patience / 4).catch((error: unknown) => this.#trouble('leaving', error))
    }
    await bounded(
      Promise.allSettled([this.#claiming.stop(), this.#ears.stop(), this.#watches.stop(), this.#runs.close()]),
    )
    await bounded(this.#waker.close())
    const busy = this.#attempts.size > 0
    if (!busy || exits) return this.#leave(busy, bounded)
    this.#gone = true
    void this.quiet().then(() => this.#leave(false, bounded))
  }

  async #leave(busy: boolean, bounded: (work: Promise<unknown>) => Promise<void>): Promise<void> {
    // Before the last word, which a renewal would take back.
    await this.#keeper.close()
    if (!this.#supervised) {
      await bounded(this.#faults.settle())
      await bounded(this.#claiming.leave(busy))
    } else if (!busy) await bounded(this.#claiming.leave(busy))
    this.#gone = true
  }

  /** Somebody sees this process end, and gives back what it held. */
  get #supervised(): boolean {
    const { blackbox, orphaned } = this.#options
    return blackbox !== undefined && orphaned?.() !== true
  }

  #stop(): void {
    this.#stopping = true
    this.#runs.stop()
    this.#claiming.end()
  }

  /** A deploy that wants to find nothing running gets what can be interrupted handed off: nobody claims it before that is over. */
  #heldBy(hold: Hold | undefined): void {
    this.#claiming.hold(hold !== undefined)
    if (hold?.require !== 'idle') return
    this.interrupt((attempt) => attempt.task.interrupt === 'resume', 'deploy', false)
    this.interrupt((attempt) => attempt.task.interrupt === 'restart', 'deploy', true)
  }

  #trouble(what: string, error: unknown): void {
    // What was still on its way when the worker left finds its connections closed: that is no news.
    if (this.#gone) return
    this.#troubles.say(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
