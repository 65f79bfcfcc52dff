import { isHoldfastError } from '../model/errors.ts'
import { Interrupted } from '../model/interrupted.ts'
import type { InterruptReason, Outcome } from '../model/outcome.ts'
import type { SettlePlan } from '../model/settle-plan.ts'
import type { VerdictKind } from '../model/verdict.ts'
import type { WorryKind } from '../model/worry.ts'
import type { Claimed } from '../store/jobs.ts'
import { Listener } from '../store/listen.ts'
import { loadMarks } from '../store/upkeep.ts'
import { expireLease, retireWorker } from '../store/workers.ts'
import { Attempt } from './attempt.ts'
import { Attendance } from './attendance.ts'
import { Claimer } from './claim.ts'
import { finishWithEnqueued } from './complete.ts'
import { current } from './current.ts'
import { Executor, outcomeOfError } from './execute.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { factsOf } from './held-jobs.ts'
import { type Incarnation, reconcile, register } from './incarnation.ts'
import { Isolation } from './isolation/isolation.ts'
import { LeaseKeeper } from './lease.ts'
import type { Ledger } from './ledger.ts'
import { acceptsOf } from './marks.ts'
import { planOf } from './plan.ts'
import { Settler } from './settle.ts'
import { settleOwnVerdict } from './settle-verdict.ts'
import { settlementOf } from './settlement.ts'
import { StallWatch } from './stalls.ts'
import { lineOf, sayBlocked } from './story.ts'
import { Tails } from './tails.ts'
import { Troubles } from './troubles.ts'
import { Upkeep } from './upkeep.ts'
import { verdictOn } from './verdict-on.ts'
import { REQUESTS, Waker } from './wake.ts'
import { letWatch, stoppedPolicy } from './watched.ts'
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
  readonly #settler: Settler
  readonly #keeper: LeaseKeeper
  readonly #executor: Executor
  readonly #isolation: Isolation | undefined
  readonly #upkeep: Upkeep
  readonly #troubles: Troubles
  readonly #tails: Tails
  readonly #worries: Worries
  readonly #attendance: Attendance
  readonly #stalls: StallWatch
  readonly #listener: Listener | undefined
  readonly #attempts = new Set<Attempt>()
  #incarnation: Incarnation | undefined
  #claimer: Claimer | undefined
  #stopping = false
  #gone = false
  #handedOff = 0
  #finished = 0
  readonly #settled: Record<string, number> = {}
  #quiet: (() => void)[] = []

  constructor(options: WorkerOptions) {
    const { db } = options
    this.#options = options
    this.#troubles = new Troubles((message) => options.log('warn', `Trouble while ${message}`))
    this.#waker = new Waker(db)
    this.#worries = new Worries({ attempts: this.#attempts, maxRun: options.maxRun, log: options.log })
    this.#keeper = new LeaseKeeper(options.maxBlock, {
      blackbox: options.blackbox,
      tasks: new Map([...options.tasks].map(([name, task]) => [name, factsOf(task)])),
      onUnblocked: (blockage) => sayBlocked(blockage, options.log),
    })
    letWatch()
    this.#settler = new Settler({
      db,
      waker: this.#waker,
      keepCompleted: options.keepCompleted,
      onInterrupted: (job) => this.#worries.stopped(job),
      onSettled: () => this.#claimer?.settled(),
      onTrouble: (error) => this.#trouble('settling', error),
    })
    this.#tails = new Tails({
      db,
      blackbox: options.blackbox,
      onTrouble: (error) => this.#trouble('keeping log lines', error),
    })
    const ports = {
      log: (level, message, data, attempt) => {
        this.#tails.note(attempt, level, message, data)
        options.log(level, message, { job: attempt.job.id, task: attempt.job.task, run: attempt.job.run, ...data })
      },
      checkpointed: (attempt) => this.#tails.checkpointed(attempt),
      crowded: (queue) => this.#claimer?.isFull(queue) === true,
    } satisfies Partial<ExecutePorts>
    this.#executor = new Executor({
      ...options,
      ...ports,
      opened: (attempt, from) => this.#worries.startsFrom(attempt, from),
      hardStop: (attempt, error) => this.condemn(attempt, 'hard-limit', error),
    })
    this.#isolation =
      options.isolation &&
      new Isolation({
        ...options.isolation,
        ...ports,
        most: options.concurrency,
        onLine: (stream, line, cell) => options.log(stream === 'stdout' ? 'info' : 'warn', line, { cell, stream }),
        onTrouble: (what) => this.#trouble(what, 'its jobs wait'),
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
      names: namesOf(options),
      worker: () => this.key,
      attempts: this.#attempts,
      risenMarks: () => this.#claimer?.risenMarks() ?? [],
      onTrouble: (what, error) => this.#trouble(what, error),
    })
    this.#stalls = new StallWatch({
      attempts: this.#attempts,
      waits: (attempt) => attempt.steps === 0 && this.#isolation?.takes(attempt) === true,
      log: options.log,
      hardStop: (attempt, error) => {
        // A process of its own goes alone.
        if (!this.#isolation?.halt(attempt, error)) this.condemn(attempt, 'stalled', error)
      },
    })
    const url = options.listenUrl
    if (url !== undefined) {
      this.#listener = new Listener({
        db,
        url,
        onNotify: (payload) => this.#hear(payload),
        onConnect: () => this.#claimer?.wakeAll(),
        onDeaf: () => options.log('warn', DEAF, { pollInterval: options.pollInterval }),
      })
    }
  }

  /** This worker's key in the database. */
  get key(): number | undefined {
    return this.#incarnation?.ledger.worker
  }

  /** The runs in progress. */
  get attempts(): ReadonlySet<Attempt> {
    return this.#attempts
  }

  /** Runs whose code has ended, and whose end is not written yet. */
  get unsettled(): number {
    return this.#settler.unsettled
  }

  /** How often jobs that get nowhere were named, by kind. */
  get worries(): Readonly<Record<WorryKind, number>> {
    return this.#worries.counts
  }

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return { handedOff: this.#handedOff, finished: this.#finished }
  }

  /** How many runs ended, by what was written of them. */
  get settled(): Readonly<Record<string, number>> {
    return this.#settled
  }

  get claiming(): boolean {
    return !this.#stopping && this.#claimer?.isHeld === false
  }

  async start(): Promise<void> {
    const { db, queues, concurrency, pollInterval } = this.#options
    const names = namesOf(this.#options)
    const [incarnation, marks] = await Promise.all([
      this.#register(),
      loadMarks(db, acceptsOf(names), [...queues.keys()]),
      this.#upkeep.prepare(),
    ])
    this.#incarnation = incarnation
    this.#claimer = new Claimer(
      {
        db,
        tasks: names,
        queues,
        concurrency,
        pollInterval,
        marks,
        unsettled: () => this.#settler.unsettled,
        onClaimed: (jobs, ledger) => this.#take(jobs, ledger),
        onTrouble: (error) => {
          this.#trouble('claiming', error)
          this.#upkeep.claimsMayHaveRolledBack()
        },
      },
      incarnation.ledger,
    )
    void this.#listener?.open()
    if (this.#stopping) return
    const own = [...this.#options.tasks.values()].filter((task) => queues.has(task.queue))
    this.#isolation?.warm(own.map((task) => task.isolate))
    this.#claimer.start()
    this.#attendance.start()
    this.#worries.start()
    this.#stalls.start()
    this.#upkeep.start()
  }

  /** Claims no more. Resolves when the claims in flight have landed (what they took is given back). */
  async stopClaiming(): Promise<void> {
    this.#stopping = true
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
    this.#isolation?.cut(reason)
  }

  /** It is this run's fault that the process must go: it fails, and whoever replaces the process is told. */
  condemn(attempt: Attempt, kind: VerdictKind, error: unknown): void {
    if (attempt.condemned !== undefined || !this.#attempts.has(attempt)) return
    attempt.condemn(error)
    this.#options.onCondemned?.(verdictOn(attempt, kind, error))
  }

  /**
   * An error that nobody caught, seen in its handler: whose code raised it? The run, if it is still going here, has failed with it.
   * @returns its job; undefined: nobody's, or of a run that has ended
   */
  blame(error: unknown): Attempt['job'] | undefined {
    const attempt = current.get()
    if (attempt === undefined || !this.#attempts.has(attempt)) return undefined
    this.condemn(attempt, 'exception', error)
    return attempt.job
  }

  /** Resolves when no code runs any more and everything is written; of the code that was condemned nobody knows whether it ever ends. */
  async quiet(but: (attempt: Attempt) => boolean = () => false): Promise<void> {
    while (this.#busy(but)) await new Promise<void>((resolve) => this.#quiet.push(resolve))
    await this.#settler.idle()
  }

  #busy(but: (attempt: Attempt) => boolean): boolean {
    for (const attempt of this.#attempts) if (!but(attempt)) return true
    return false
  }

  /**
   * The end, within `patience` ms. With code still running, the lease is left to run out in an instant, for the process must be gone
   * before its jobs may run elsewhere; without, the worker retires.
   */
  async close(patience = LAST_WORD_MS): Promise<void> {
    this.#stopping = true
    this.#worries.stop()
    const bounded = <T>(work: Promise<T>): Promise<T | undefined> => within(work, patience / 3)
    const { key } = this
    const busy = this.#attempts.size > 0
    if (!this.#supervised) await bounded(this.#settleCondemned())
    await bounded(
      Promise.allSettled([
        this.#claimer?.stop(),
        this.#attendance.stop(),
        this.#stalls.stop(),
        this.#upkeep.stop(),
        this.#tails.stop(),
        this.#listener?.close(),
        this.#isolation?.close(),
      ]),
    )
    // Before the last word, which a renewal would take back.
    await this.#keeper.close()
    if (key !== undefined) await bounded(this.#leave(key, busy)).catch((error) => this.#trouble('leaving', error))
    await bounded(this.#waker.close()).catch(() => {})
    this.#gone = true
  }

  /** Nobody else would: its code still runs, but the process goes the next moment. */
  async #settleCondemned(): Promise<void> {
    const { db, log } = this.#options
    for (const attempt of this.#attempts) {
      const { condemned, task, ledger } = attempt
      if (condemned === undefined) continue
      const verdict = verdictOn(attempt, 'exception', condemned.error)
      const written = await settleOwnVerdict(db, ledger.worker, verdict, stoppedPolicy(task))
      if (written)
        log('error', `Job failed: ${verdict.message}`, { job: attempt.job.id, task: task.name, run: attempt.job.run })
    }
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

  #register(): Promise<Incarnation> {
    return register(this.#options, this.#keeper, {
      onRenewed: (mayClaim) => void this.#renewed(mayClaim),
      onLost: (key, why) => void this.#lost(key, why),
    })
  }

  #take(jobs: readonly Claimed[], ledger: Ledger): void {
    for (const job of jobs) {
      const task = this.#options.tasks.get(job.task)
      if (task === undefined) throw new Error(`claimed a job of task ${job.task}, which this worker did not ask for`)
      const attempt = new Attempt(job, task, ledger)
      this.#attempts.add(attempt)
      // A claim that lands after the stop signal, or after the lease: its jobs were never started, so they go back as if never taken.
      if (this.#stopping || !ledger.held) this.#ended(attempt, { kind: 'yielded' })
      else {
        this.#worries.starts(attempt)
        this.#run(attempt)
      }
    }
  }

  #run(attempt: Attempt): void {
    const ended = (outcome: Outcome): void => this.#ended(attempt, outcome)
    const planned = (plan: SettlePlan): void => this.#settle(attempt, plan)
    if (this.#isolation?.takes(attempt)) this.#isolation.run(attempt, { planned, ended })
    else this.#executor.run(attempt, ended)
  }

  #ended(attempt: Attempt, outcome: Outcome): void {
    if (outcome.kind === 'completed' && attempt.outgoing.length > 0 && !attempt.settled) {
      finishWithEnqueued(this.#options, attempt, outcome.result).then(
        (written) => {
          attempt.settled = written
          this.#settle(attempt, planOf(attempt, outcome))
        },
        (error: unknown) => this.#settle(attempt, planOf(attempt, this.#outcomeOfLastWrite(attempt, error))),
      )
      return
    }
    this.#settle(attempt, planOf(attempt, outcome))
  }

  /** Its code was over by then: that this process stood still in the middle of the engine's own transaction is no fault of it. */
  #outcomeOfLastWrite(attempt: Attempt, error: unknown): Outcome {
    const again = isHoldfastError(error, 'HF_TX_IDLE') && attempt.task.delivery !== 'at-most-once'
    if (again)
      return { kind: 'snoozed', until: { kind: 'delay', ms: 0 }, reason: 'its process stood still while it completed' }
    return outcomeOfError(attempt, error, this.#options.db)
  }

  #settle(attempt: Attempt, plan: SettlePlan): void {
    const { job, ledger } = attempt
    const line = lineOf(plan, attempt)
    if (line)
      this.#options.log(line.level, line.message, { job: job.id, task: job.task, run: job.run, plan: plan.kind })
    const tail = this.#tails.last(attempt)
    const forgotten = plan.kind === 'complete' && !this.#options.keepCompleted
    const settlement = settlementOf(attempt, plan, this.#options.keepCompleted)
    this.#settler.settle(job.id, job.claim, ledger, settlement, () => {}, forgotten ? undefined : tail)
    this.#settled[plan.kind] = (this.#settled[plan.kind] ?? 0) + 1
    if (this.#stopping && plan.kind === 'hand-back') this.#handedOff++
    else if (this.#stopping && plan.kind !== 'yield') this.#finished++
    this.#attempts.delete(attempt)
    this.#claimer?.freed(job.queue)
    for (const resolve of this.#quiet.splice(0)) resolve()
  }

  /** After each renewal: what the database thinks this worker holds, against memory. */
  async #renewed(mayClaim: boolean): Promise<void> {
    this.#claimer?.hold(!mayClaim)
    const ledger = this.#incarnation?.ledger
    if (ledger === undefined) return
    try {
      for (const queue of await reconcile(this.#options, ledger)) this.#claimer?.wake(queue)
    } catch (error) {
      this.#trouble('comparing the ledger', error)
    }
  }

  async #lost(key: number, why: string): Promise<void> {
    if (this.key !== key) return
    const { log } = this.#options
    const mine = this.#incarnation?.ledger
    log('error', `This worker lost its lease: ${why}. What it held may run elsewhere now.`, { worker: key })
    for (const attempt of this.#attempts) {
      if (attempt.ledger === mine) attempt.interrupt('lease-lost', new Interrupted('lease-lost'), true)
    }
    for (let pause = 200; !this.#stopping; pause = Math.min(pause * 2, 5_000)) {
      try {
        this.#incarnation = await this.#register()
        this.#claimer?.use(this.#incarnation.ledger)
        log('info', 'This worker goes on as a new incarnation', { worker: this.key })
        return
      } catch (error) {
        this.#trouble('registering again', error)
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }

  #hear(payload: string): void {
    if (payload !== REQUESTS) return this.#claimer?.wake(payload)
    this.#attendance.hear()
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

function namesOf({ tasks }: WorkerOptions): readonly string[] {
  return [...tasks.keys()].sort()
}
