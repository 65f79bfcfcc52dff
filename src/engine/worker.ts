import { Interrupted } from '../model/interrupted.ts'
import type { InterruptReason } from '../model/outcome.ts'
import type { Unserved } from '../model/unserved.ts'
import type { WorryKind } from '../model/worry.ts'
import type { Hold } from '../store/gate.ts'
import { Listener } from '../store/listen.ts'
import { loadMarks } from '../store/upkeep.ts'
import { expireLease, retireWorker } from '../store/workers.ts'
import { taskKeys } from '../tasks/versions.ts'
import type { Attempt } from './attempt.ts'
import { Attendance } from './attendance.ts'
import { Claimer } from './claim.ts'
import { Faults } from './faults.ts'
import { factsOf } from './held-jobs.ts'
import { HoldWatch } from './hold-watch.ts'
import { Life } from './incarnation.ts'
import { LeaseKeeper } from './lease.ts'
import { giveBackTime } from './lost-time.ts'
import { acceptsOf } from './marks.ts'
import { Runs } from './runs.ts'
import { StallWatch } from './stalls.ts'
import { sayBlocked } from './story.ts'
import { Troubles } from './troubles.ts'
import { UnservedWatch } from './unserved.ts'
import { Upkeep } from './upkeep.ts'
import { GATE, HELD, REQUESTS, Waker } from './wake.ts'
import { letWatch } from './watched.ts'
import { within } from './within.ts'
import type { WorkerOptions } from './worker-options.ts'
import { Worries } from './worries.ts'

/**
 * One worker process's engine: claims to its free slots, runs, settles, and keeps its lease. When it loses the lease, everything it
 * held is aborted and a new incarnation goes on.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #waker: Waker
  readonly #keeper: LeaseKeeper
  readonly #upkeep: Upkeep
  readonly #troubles: Troubles
  readonly #worries: Worries
  readonly #attendance: Attendance
  readonly #unserved: UnservedWatch
  readonly #stalls: StallWatch
  readonly #holds: HoldWatch
  readonly #listener: Listener | undefined
  readonly #attempts = new Set<Attempt>()
  readonly #runs: Runs
  readonly #faults: Faults
  readonly #life: Life
  #claimer: Claimer | undefined
  #stopping = false
  #gone = false

  constructor(options: WorkerOptions) {
    const { db } = options
    this.#options = options
    this.#troubles = new Troubles((message) => options.log('warn', `Trouble while ${message}`))
    this.#waker = new Waker(db)
    this.#worries = new Worries({ attempts: this.#attempts, maxRun: options.maxRun, log: options.log })
    this.#keeper = new LeaseKeeper(options.maxBlock, {
      blackbox: options.blackbox,
      tasks: new Map([...options.tasks].map(([name, task]) => [name, factsOf(task)])),
      onUnblocked: (blockage) => {
        giveBackTime(this.#attempts, blockage)
        sayBlocked(blockage, options.log)
      },
    })
    letWatch()
    this.#faults = new Faults({
      db,
      attempts: this.#attempts,
      onCondemned: (verdict) => {
        options.onCondemned?.(verdict)
        this.#runs.recheck()
      },
      log: options.log,
    })
    this.#life = new Life(options, this.#keeper, {
      onMayClaim: (may) => {
        if (!may) this.#claimer?.hold(true)
        if (may === this.#holds.held) this.#holds.hear()
      },
      onGivenBack: (queues) => {
        for (const queue of queues) this.#claimer?.wake(queue)
      },
      onLost: (ledger) => this.interrupt((attempt) => attempt.ledger === ledger, 'lease-lost', true),
      onReborn: (ledger) => this.#claimer?.use(ledger),
      onTrouble: (what, error) => this.#trouble(what, error),
    })
    this.#runs = new Runs({
      ...options,
      attempts: this.#attempts,
      waker: this.#waker,
      worries: this.#worries,
      faults: this.#faults,
      crowded: (queue) => this.#claimer?.isFull(queue) === true,
      inDoubt: () => this.#keeper.pulse.inDoubt,
      onFreed: (queue) => this.#claimer?.freed(queue),
      onSettled: () => {
        this.#claimer?.settled()
        if (this.#holds.held) this.#waker.wake(HELD)
      },
      onTrouble: (what, error) => this.#trouble(what, error),
    })
    this.#upkeep = new Upkeep({
      db,
      lease: options.lease,
      keep: options.historyKeep,
      onReady: (queue) => {
        this.#claimer?.wake(queue)
        this.#waker.wake(queue)
      },
      onRevoked: (name, jobs) => options.log('warn', `Worker ${name} is gone: ${jobs} jobs were given back`, { jobs }),
      onTrouble: (what, error) => this.#trouble(what, error),
    })
    this.#attendance = new Attendance({
      db,
      takes: taskKeys(options.tasks),
      worker: () => this.key,
      attempts: this.#attempts,
      risenMarks: () => this.#claimer?.risenMarks() ?? [],
      onTrouble: (what, error) => this.#trouble(what, error),
    })
    this.#holds = new HoldWatch({
      db,
      worker: () => this.key,
      pollInterval: options.pollInterval,
      log: options.log,
      onLook: (hold) => this.#heldBy(hold),
      onAnswered: () => this.#waker.wake(HELD),
      onTrouble: (error) => this.#trouble('looking for a deploy', error),
    })
    this.#unserved = new UnservedWatch({
      db,
      worker: () => this.key,
      most: options.maxUnserved,
      log: options.log,
      onTrouble: (error) => this.#trouble('looking for jobs that nobody takes', error),
    })
    this.#stalls = new StallWatch({
      attempts: this.#attempts,
      waits: (attempt) => attempt.steps === 0 && this.#runs.isolated(attempt),
      inDoubt: () => this.#keeper.pulse.inDoubt,
      log: options.log,
      hardStop: (attempt, error) => {
        // A process of its own goes alone.
        if (!this.#runs.halt(attempt, error)) this.#faults.condemn(attempt, 'stalled', error)
      },
    })
    const url = options.listenUrl
    if (url !== undefined) {
      this.#listener = new Listener({
        db,
        url,
        onNotify: (payload) => this.#hear(payload),
        onConnect: () => {
          this.#holds.hear()
          this.#claimer?.wakeAll()
        },
        onDeaf: () => options.log('warn', DEAF, { pollInterval: options.pollInterval }),
      })
    }
  }

  /** This worker's key in the database. */
  get key(): number | undefined {
    return this.#life.ledger?.worker
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
    return this.#unserved.alerts
  }

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return this.#runs.tally.leaving
  }

  /** How many runs ended, by what was written of them. */
  get settled(): Readonly<Record<string, number>> {
    return this.#runs.tally.settled
  }

  /** Whether jobs of this queue may be ready that this worker had no slot for, as far as it knows. */
  mayWait(queue: string): boolean {
    return this.#claimer?.mayWait(queue) === true
  }

  get claiming(): boolean {
    return !this.#stopping && this.#claimer?.isHeld === false
  }

  async start(): Promise<void> {
    const { db, queues, concurrency, pollInterval } = this.#options
    const takes = taskKeys(this.#options.tasks)
    const [incarnation, marks] = await Promise.all([
      this.#life.register(),
      loadMarks(db, acceptsOf(takes), [...queues.keys()]),
      this.#upkeep.prepare(),
    ])
    this.#life.begin(incarnation)
    this.#claimer = new Claimer(
      {
        db,
        takes,
        queues,
        concurrency,
        pollInterval,
        marks,
        unsettled: () => this.#runs.unsettled,
        onClaimed: (jobs, ledger) => this.#runs.take(jobs, ledger),
        onTrouble: (error) => {
          this.#trouble('claiming', error)
          this.#upkeep.claimsMayHaveRolledBack()
        },
      },
      incarnation.ledger,
    )
    void this.#listener?.open()
    if (this.#stopping) return
    this.#runs.warm()
    this.#claimer.start()
    this.#holds.start()
    this.#attendance.start()
    this.#worries.start()
    this.#stalls.start()
    this.#unserved.start()
    this.#upkeep.start()
  }

  /** Claims no more. Resolves when the claims in flight have landed (what they took is given back). */
  async stopClaiming(): Promise<void> {
    this.#stop()
    this.#upkeep.stopPromoting()
    await this.#claimer?.stop()
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
   * The end, within `patience` ms. With code still running, the lease is left to run out in an instant, for the process must be gone
   * before its jobs may run elsewhere; without, the worker retires.
   */
  async close(patience = LAST_WORD_MS): Promise<void> {
    this.#stop()
    this.#worries.stop()
    const bounded = <T>(work: Promise<T>): Promise<T | undefined> => within(work, patience / 3)
    const { key } = this
    const busy = this.#attempts.size > 0
    if (!this.#supervised) await bounded(this.#faults.settle())
    await bounded(
      Promise.allSettled([
        this.#claimer?.stop(),
        this.#attendance.stop(),
        this.#stalls.stop(),
        this.#holds.stop(),
        this.#unserved.stop(),
        this.#upkeep.stop(),
        this.#runs.close(),
        this.#listener?.close(),
      ]),
    )
    // Before the last word, which a renewal would take back.
    await this.#keeper.close()
    if (key !== undefined) await bounded(this.#leave(key, busy)).catch((error) => this.#trouble('leaving', error))
    await bounded(this.#waker.close()).catch(() => {})
    this.#gone = true
  }

  /** Somebody sees this process end, and gives back what it held. */
  get #supervised(): boolean {
    const { blackbox, orphaned } = this.#options
    return blackbox !== undefined && orphaned?.() !== true
  }

  async #leave(key: number, busy: boolean): Promise<void> {
    const { db } = this.#options
    if (busy && this.#supervised) return
    // What it could not give back, or never knew of, is released by the next sweep of another worker.
    if (busy || !(await retireWorker(db, key))) await expireLease(db, key, busy ? EXIT_MS : 0)
  }

  #stop(): void {
    this.#stopping = true
    this.#runs.stop()
    this.#life.end()
  }

  /** A deploy that wants to find nothing running gets what can be interrupted handed off: nobody claims it before that is over. */
  #heldBy(hold: Hold | undefined): void {
    this.#claimer?.hold(hold !== undefined)
    if (hold?.require !== 'idle') return
    this.interrupt((attempt) => attempt.task.interrupt === 'resume', 'deploy', false)
    this.interrupt((attempt) => attempt.task.interrupt === 'restart', 'deploy', true)
  }

  #hear(payload: string): void {
    if (payload === GATE) this.#holds.hear()
    else if (payload === REQUESTS) this.#attendance.hear()
    else this.#claimer?.wake(payload)
  }

  #trouble(what: string, error: unknown): void {
    // What was still on its way when the worker left finds its connections closed: that is no news.
    if (this.#gone) return
    this.#troubles.say(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** How long after its last word this process is surely gone. */
const EXIT_MS = 250
const LAST_WORD_MS = 3_000
const DEAF =
  'Notifications do not arrive: a transaction pooler is in between. This worker polls. ' +
  "Set HOLDFAST_LISTEN_URL to the server's own address, or to `off`."
