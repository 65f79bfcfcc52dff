import { isHoldfastError } from '../model/errors.ts'
import type { InterruptReason, Outcome } from '../model/outcome.ts'
import type { SettlePlan } from '../model/settle-plan.ts'
import type { Claimed } from '../store/claims.ts'
import { Attempt } from './attempt.ts'
import { finishWithEnqueued } from './complete.ts'
import { Executor, outcomeOfError } from './execute.ts'
import type { ExecutePorts } from './execute-ports.ts'
import type { Faults } from './faults.ts'
import { Isolation } from './isolation/isolation.ts'
import type { Ledger } from './ledger.ts'
import { planOf } from './plan.ts'
import { type Fate, Settler } from './settle.ts'
import { settlementOf } from './settlement.ts'
import { lineOf, lineOfFate } from './story.ts'
import { Tails } from './tails.ts'
import { Tally } from './tally.ts'
import type { Waker } from './wake.ts'
import type { WorkerOptions } from './worker-options.ts'
import type { Worries } from './worries.ts'

export interface RunsOptions extends WorkerOptions {
  /** The runs in progress; whoever watches over them shares it. */
  readonly attempts: Set<Attempt>
  readonly waker: Waker
  readonly worries: Worries
  readonly faults: Faults
  /** Whether other jobs of a queue would have to wait for a slot of this worker. */
  readonly crowded: (queue: string) => boolean
  /** See `ExecutePorts`. */
  readonly inDoubt: () => boolean
  /** A queue has one run less. */
  readonly onFreed: (queue: string) => void
  /** Ends were written. */
  readonly onSettled: () => void
  readonly onTrouble: (what: string, error: unknown) => void
}

/** The runs of a worker, each from its claim to its settlement. */
export class Runs {
  readonly tally = new Tally()
  readonly #options: RunsOptions
  readonly #settler: Settler
  readonly #tails: Tails
  readonly #executor: Executor
  readonly #isolation: Isolation | undefined
  #stopping = false
  #quiet: (() => void)[] = []

  constructor(options: RunsOptions) {
    const { db, waker, worries, onTrouble } = options
    this.#options = options
    this.#settler = new Settler({
      db,
      waker,
      keepCompleted: options.keepCompleted,
      onInterrupted: (job) => worries.stopped(job),
      onSettled: options.onSettled,
      onTrouble: (error) => onTrouble('settling', error),
    })
    this.#tails = new Tails({
      db,
      blackbox: options.blackbox,
      onTrouble: (error) => onTrouble('keeping log lines', error),
    })
    const ports = {
      log: (level, message, data, attempt) => {
        this.#tails.note(attempt, level, message, data)
        options.log(level, message, { job: attempt.job.id, task: attempt.job.task, run: attempt.job.run, ...data })
      },
      checkpointed: (attempt) => this.#tails.checkpointed(attempt),
      crowded: options.crowded,
    } satisfies Partial<ExecutePorts>
    this.#executor = new Executor({
      ...options,
      ...ports,
      opened: (attempt, from) => worries.startsFrom(attempt, from),
      hardStop: (attempt, error) => options.faults.condemn(attempt, 'hard-limit', error),
    })
    this.#isolation =
      options.isolation &&
      new Isolation({
        ...options.isolation,
        ...ports,
        most: options.concurrency,
        onLine: (stream, line, cell) => options.log(stream === 'stdout' ? 'info' : 'warn', line, { cell, stream }),
        onTrouble: (what) => onTrouble(what, 'its jobs wait'),
      })
  }

  /** Jobs that have ended, and whose end is not written yet. */
  get unsettled(): number {
    return this.#settler.unsettled
  }

  /** Has a process or thread ready for what needs one. */
  warm(): void {
    const { tasks, queues } = this.#options
    const own = [...tasks.values()].filter((task) => queues.has(task.queue))
    this.#isolation?.warm(own.map((task) => task.isolate))
  }

  /** Whether this run is, or will be, in a process or thread of its own. */
  isolated(attempt: Attempt): boolean {
    return this.#isolation?.takes(attempt) === true
  }

  /** Fails it with this error and ends it by force, if it is in a process of its own. */
  halt(attempt: Attempt, error: Error): boolean {
    return this.#isolation?.halt(attempt, error) === true
  }

  /** Ends by force what can be: runs in processes of their own. */
  cut(reason: InterruptReason): void {
    this.#isolation?.cut(reason)
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#tails.stop(), this.#isolation?.close()])
  }

  /** From now on, what is claimed is not started, nor what waits for its process. */
  stop(): void {
    this.#stopping = true
    this.#isolation?.stop()
  }

  /** What ends from now on is written when the last claims have landed. */
  settleAfter(landed: Promise<void>): void {
    this.#settler.settleAfter(landed)
  }

  take(jobs: readonly Claimed[], ledger: Ledger): void {
    const { tasks, attempts, worries } = this.#options
    for (const job of jobs) {
      const task = tasks.get(job.task)
      if (task === undefined) throw new Error(`claimed a job of task ${job.task}, which this worker did not ask for`)
      const attempt = new Attempt(job, task, ledger)
      attempts.add(attempt)
      // A claim that lands after the stop signal, or after the lease: its jobs were never started, so they go back as if never taken.
      if (this.#stopping || !ledger.held) this.#ended(attempt, { kind: 'yielded' })
      else {
        worries.starts(attempt)
        this.#run(attempt)
      }
    }
  }

  /** Resolves when no code runs any more and everything is written. */
  async quiet(but: (attempt: Attempt) => boolean): Promise<void> {
    while (this.#busy(but)) await new Promise<void>((resolve) => this.#quiet.push(resolve))
    await this.#settler.idle()
  }

  /** For whoever waits for runs to end: one of them is another kind of run now. */
  recheck(): void {
    for (const resolve of this.#quiet.splice(0)) resolve()
  }

  #busy(but: (attempt: Attempt) => boolean): boolean {
    for (const attempt of this.#options.attempts) if (!but(attempt)) return true
    return false
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
    const { attempts, keepCompleted, log } = this.#options
    const { job, ledger } = attempt
    const line = lineOf(plan, attempt)
    if (line) log(line.level, line.message, { job: job.id, task: job.task, run: job.run, plan: plan.kind })
    const tail = this.#tails.last(attempt)
    const forgotten = plan.kind === 'complete' && !keepCompleted
    const settlement = settlementOf(attempt, plan, keepCompleted)
    const leaving = this.#stopping
    const done = (fate: Fate): void => {
      this.tally.count(fate === 'written' ? plan.kind : fate, leaving)
      const fateLine = lineOfFate(fate)
      if (fateLine)
        log(fateLine.level, fateLine.message, { job: job.id, task: job.task, run: job.run, plan: plan.kind })
    }
    this.#settler.settle(job.id, job.claim, ledger, settlement, done, forgotten ? undefined : tail)
    attempts.delete(attempt)
    this.#options.onFreed(job.queue)
    this.recheck()
  }
}
