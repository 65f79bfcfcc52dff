import { createHash } from 'node:crypto'
import { Interrupted } from '../model/interrupted.ts'
import type { InterruptReason, Outcome } from '../model/outcome.ts'
import { planSettle } from '../model/settle-plan.ts'
import { saveCheckpoint } from '../store/checkpoints.ts'
import type { Database } from '../store/db.ts'
import { type Claimed, closeClaims, handBack, readClaims } from '../store/jobs.ts'
import { Listener } from '../store/listen.ts'
import { placeOf } from '../store/place.ts'
import { loadMarks, publishMarks } from '../store/upkeep.ts'
import { expireLease, type JobRequest, registerWorker, requestsFor, retireWorker } from '../store/workers.ts'
import type { TaskDefinition } from '../tasks/definition.ts'
import { Attempt } from './attempt.ts'
import { Claimer } from './claim.ts'
import { finishWithEnqueued } from './complete.ts'
import type { ContextPorts } from './context.ts'
import { Executor } from './execute.ts'
import { type Lease, LeaseKeeper } from './lease.ts'
import { Ledger } from './ledger.ts'
import { monotonic } from './monotonic.ts'
import { Service } from './service.ts'
import { Settler } from './settle.ts'
import { settlementOf } from './settlement.ts'
import { lineOf } from './story.ts'
import type { EngineTransactions } from './transactions.ts'
import { Troubles } from './troubles.ts'
import { Upkeep } from './upkeep.ts'
import { REQUESTS, Waker } from './wake.ts'
import { within } from './within.ts'

export interface WorkerOptions {
  readonly db: Database
  /** Direct connection string, for LISTEN and for renewals; undefined: polling alone. */
  readonly listenUrl: string | undefined
  readonly name: string
  readonly build: string
  readonly release: string
  /** By every name that a job may carry: aliases too. */
  readonly tasks: ReadonlyMap<string, TaskDefinition>
  /** Each queue with the number of its jobs that may run here at the same time. */
  readonly queues: ReadonlyMap<string, number>
  readonly transactions: EngineTransactions
  readonly newJob: ContextPorts['newJob']
  readonly concurrency: number
  /** ms */
  readonly lease: number
  /** ms */
  readonly pollInterval: number
  /** ms that the event loop may be blocked before the lease is given up. */
  readonly maxBlock: number
  /** ms between two periodic checkpoints. */
  readonly checkpointEvery: number
  /** Keep completed jobs in the history. */
  readonly keepCompleted: boolean
  /** ms that ended jobs are kept. */
  readonly historyKeep: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string, data?: object) => void
}

interface Incarnation {
  readonly ledger: Ledger
  readonly lease: Lease
}

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
  readonly #upkeep: Upkeep
  readonly #troubles: Troubles
  readonly #attendance: Service
  readonly #listener: Listener | undefined
  readonly #attempts = new Set<Attempt>()
  #incarnation: Incarnation | undefined
  #claimer: Claimer | undefined
  #stopping = false
  #handedOff = 0
  #finished = 0
  #quiet: (() => void)[] = []

  constructor(options: WorkerOptions) {
    const { db } = options
    this.#options = options
    this.#troubles = new Troubles((message) => options.log('warn', `Trouble while ${message}`))
    this.#waker = new Waker(db)
    this.#keeper = new LeaseKeeper(options.maxBlock)
    this.#settler = new Settler({
      db,
      waker: this.#waker,
      keepCompleted: options.keepCompleted,
      onSettled: () => this.#claimer?.settled(),
      onTrouble: (error) => this.#trouble('settling', error),
    })
    this.#executor = new Executor({
      ...options,
      log: (level, message, data, attempt) =>
        options.log(level, message, { job: attempt.job.id, task: attempt.job.task, run: attempt.job.run, ...data }),
      crowded: (queue) => this.#claimer?.isFull(queue) === true,
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
    this.#attendance = new Service(
      () => this.#attend(),
      (error) => this.#trouble('attending to its runs', error),
    )
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

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return { handedOff: this.#handedOff, finished: this.#finished }
  }

  async start(): Promise<void> {
    const { db, tasks, queues, concurrency, pollInterval } = this.#options
    const names = [...tasks.keys()].sort()
    const [incarnation, marks] = await Promise.all([
      this.#register(),
      loadMarks(db, acceptsOf(names), [...queues.keys()]),
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
    this.#claimer.start()
    this.#attendance.start()
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

  /** Resolves when no code runs any more and everything is written. */
  async quiet(): Promise<void> {
    if (this.#attempts.size > 0) await new Promise<void>((resolve) => this.#quiet.push(resolve))
    await this.#settler.idle()
  }

  /**
   * The end, within `patience` ms. With code still running, the lease is left to run out in an instant, for the process must be gone
   * before its jobs may run elsewhere; without, the worker retires.
   */
  async close(patience = LAST_WORD_MS): Promise<void> {
    this.#stopping = true
    const bounded = <T>(work: Promise<T>): Promise<T | undefined> => within(work, patience / 3)
    const { key } = this
    const busy = this.#attempts.size > 0
    await bounded(
      Promise.allSettled([
        this.#claimer?.stop(),
        this.#attendance.stop(),
        this.#upkeep.stop(),
        this.#listener?.close(),
      ]),
    )
    // Before the last word, which a renewal would take back.
    await this.#keeper.close()
    if (key !== undefined) await bounded(this.#leave(key, busy)).catch((error) => this.#trouble('leaving', error))
    await bounded(this.#waker.close()).catch(() => {})
  }

  async #leave(key: number, busy: boolean): Promise<void> {
    const { db } = this.#options
    // What it could not give back, or never knew of, is released by the next sweep of another worker.
    if (busy || !(await retireWorker(db, key))) await expireLease(db, key, busy ? EXIT_MS : 0)
  }

  async #register(): Promise<Incarnation> {
    const { db, listenUrl, name, build, release, tasks, queues, lease: ms } = this.#options
    const direct =
      listenUrl === undefined || listenUrl === db.url ? undefined : { url: listenUrl, place: await placeOf(db) }
    await this.#keeper.ready()
    const sent = monotonic()
    const key = await registerWorker(db, {
      name,
      build,
      release,
      tasks: [...tasks.keys()],
      queues: [...queues.keys()],
      lease: ms,
    })
    const lease = this.#keeper.hold({ url: db.url, direct, schema: db.schema, worker: key, lease: ms }, sent, {
      onRenewed: (mayClaim) => void this.#renewed(mayClaim),
      onLost: (why) => void this.#lost(key, why),
    })
    return { lease, ledger: new Ledger(key, () => lease.held) }
  }

  #take(jobs: readonly Claimed[], ledger: Ledger): void {
    for (const job of jobs) {
      const task = this.#options.tasks.get(job.task)
      if (task === undefined) throw new Error(`claimed a job of task ${job.task}, which this worker did not ask for`)
      const attempt = new Attempt(job, task, ledger)
      this.#attempts.add(attempt)
      // A claim that lands after the stop signal, or after the lease: its jobs were never started, so they go back as if never taken.
      if (this.#stopping || !ledger.held) this.#ended(attempt, { kind: 'yielded' })
      else this.#executor.run(attempt, (outcome) => this.#ended(attempt, outcome))
    }
  }

  #ended(attempt: Attempt, outcome: Outcome): void {
    if (outcome.kind === 'completed' && attempt.outgoing.length > 0 && !attempt.settled) {
      finishWithEnqueued(this.#options, attempt, outcome.result).then(
        (written) => {
          attempt.settled = written
          this.#settle(attempt, outcome)
        },
        (error) => this.#settle(attempt, { kind: 'failed', error, retry: 'policy' }),
      )
      return
    }
    this.#settle(attempt, outcome)
  }

  #settle(attempt: Attempt, outcome: Outcome): void {
    const { job, task, ledger } = attempt
    const facts = { delivery: task.delivery, started: outcome.kind !== 'yielded', failures: job.failures }
    const plan = attempt.settled ? ({ kind: 'nothing' } as const) : planSettle(facts, outcome, task.retry, Math.random)
    const line = lineOf(plan, attempt)
    if (line)
      this.#options.log(line.level, line.message, { job: job.id, task: job.task, run: job.run, plan: plan.kind })
    this.#settler.settle(job.id, job.claim, ledger, settlementOf(attempt, plan, this.#options.keepCompleted), () => {})
    if (this.#stopping && plan.kind === 'hand-back') this.#handedOff++
    else if (this.#stopping && plan.kind !== 'yield') this.#finished++
    this.#attempts.delete(attempt)
    this.#claimer?.freed(job.queue)
    if (this.#attempts.size === 0) for (const resolve of this.#quiet.splice(0)) resolve()
  }

  /** After each renewal: what the database thinks this worker holds, against memory. */
  async #renewed(mayClaim: boolean): Promise<void> {
    this.#claimer?.hold(!mayClaim)
    const ledger = this.#incarnation?.ledger
    if (ledger === undefined) return
    await this.#reconcile(ledger).catch((error: unknown) => this.#trouble('comparing the ledger', error))
  }

  /** Each second: what people asked of the runs here, how far they are, how far this worker has claimed. */
  async #attend(): Promise<number> {
    await this.#answerRequests()
    await this.#saveProgress()
    await this.#publish()
    return ATTEND_EVERY_MS
  }

  /** Jobs of a claim whose answer was lost would otherwise be renewed for ever, and never run. */
  async #reconcile(ledger: Ledger): Promise<void> {
    const { db } = this.#options
    const { last } = ledger
    const found = await readClaims(db, ledger.worker, ledger.known())
    // A claim that began since may have been answered before this question was.
    const strangers = found.filter((job) => job.claim <= last)
    if (strangers.length === 0) return
    const writes = strangers.map(({ id, run }) => ({ id, run, interrupted: false, reason: null }))
    await handBack(db, writes, { worker: ledger.worker, claims: [] })
    await closeClaims(db, ledger.worker, [...new Set(strangers.map((job) => job.claim))])
    for (const queue of new Set(strangers.map((job) => job.queue))) this.#claimer?.wake(queue)
  }

  async #answerRequests(): Promise<void> {
    const { key } = this
    if (key === undefined || this.#attempts.size === 0) return
    for (const request of await requestsFor(this.#options.db, key)) this.#answer(request)
  }

  #answer(request: JobRequest): void {
    for (const attempt of this.#attempts) {
      if (attempt.job.id !== request.id || attempt.job.run !== request.run) continue
      attempt.asked = { action: request.action, reason: request.reason, until: request.until ?? undefined }
      // A cancelled run is told at once. A paused iteration ends at its next boundary; other tasks cannot rest half-way, they run on.
      if (request.action === 'cancel') attempt.interrupt('cancel', new Interrupted('cancel'), true)
      else if (attempt.task.kind === 'iteration') attempt.interrupt('pause', new Interrupted('pause'), false)
    }
  }

  async #publish(): Promise<void> {
    const marks = this.#claimer?.risenMarks() ?? []
    if (marks.length === 0) return
    const names = [...this.#options.tasks.keys()].sort()
    await publishMarks(this.#options.db, acceptsOf(names), names, marks)
  }

  async #saveProgress(): Promise<void> {
    for (const attempt of this.#attempts) {
      const { progress } = attempt
      if (progress === undefined) continue
      attempt.progress = undefined
      attempt.reported = true
      await saveCheckpoint(this.#options.db, attempt.job, {
        items: progress.done,
        total: progress.total,
        cursor: 'null',
        rate: undefined,
      })
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
    this.#answerRequests().catch((error: unknown) => this.#trouble('reading requests', error))
  }

  #trouble(what: string, error: unknown): void {
    this.#troubles.say(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** How long after its last word this process is surely gone. */
const EXIT_MS = 250
const ATTEND_EVERY_MS = 1_000
const LAST_WORD_MS = 3_000
const DEAF =
  'Notifications do not arrive: a transaction pooler is in between. This worker polls. ' +
  "Set HOLDFAST_LISTEN_URL to the server's own address, or to `off`."

/** Marks belong to one set of tasks: a job that this set skipped was not seen by another set's marks. */
function acceptsOf(names: readonly string[]): string {
  return createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16)
}
