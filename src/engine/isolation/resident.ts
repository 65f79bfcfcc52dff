import { HoldfastError } from '../../model/errors.ts'
import { Interrupted } from '../../model/interrupted.ts'
import type { Outcome } from '../../model/outcome.ts'
import { printableJson } from '../../model/printable.ts'
import type { Claimed } from '../../store/claims.ts'
import type { TaskDefinition } from '../../tasks/definition.ts'
import { Attempt } from '../attempt.ts'
import { finishWithEnqueued } from '../complete.ts'
import { current } from '../current.ts'
import { Executor, outcomeOfError } from '../execute.ts'
import type { ExecutePorts } from '../execute-ports.ts'
import { Ledger } from '../ledger.ts'
import { monotonic } from '../monotonic.ts'
import { planOf } from '../plan.ts'
import { noteLine } from '../tails.ts'
import { type Order, packAsked, type Report, unpackAsked } from './messages.ts'

export interface ResidentOptions extends Omit<ExecutePorts, 'log' | 'crowded' | 'checkpointed'> {
  readonly task: (name: string) => TaskDefinition | undefined
  readonly report: (report: Report) => void
}

/** The hard limit is the worker's to enforce: nothing in here could. */
const NO_HARD_LIMIT = Number.MAX_SAFE_INTEGER
const LIFE_MS = 1_000
const CHECKPOINTS_MS = 250
const UNKNOWN_TASK_PAUSE_MS = 5_000

/** What runs attempts inside of a cell: the same stages as in a worker, up to the plan. The worker writes it. */
export class Resident {
  readonly #options: ResidentOptions
  readonly #executor: Executor
  #attempt: Attempt | undefined
  #crowded = false
  /** When a checkpoint was last reported, monotonic ms, and whether something was logged since. */
  #reportedAt = 0
  #logged = false
  /** It must not have another run. */
  #spent = false
  #pulse: NodeJS.Timeout | undefined

  constructor(options: ResidentOptions) {
    this.#options = options
    this.#executor = new Executor({
      ...options,
      crowded: () => this.#crowded,
      checkpointed: () => this.#checkpointed(),
      log: (level, message, data, attempt) => this.#log(level, message, data, attempt),
    })
  }

  take(order: Order): void {
    if (order.kind === 'run') this.#run(order)
    else if (order.kind === 'crowded') this.#crowded = order.crowded
    else if (order.kind === 'interrupt') this.#interrupt(order)
  }

  /** Something was thrown where nobody caught it. False: no run can have done it. */
  fault(error: unknown): boolean {
    const attempt = this.#attempt
    if (attempt === undefined) return false
    const culprit = current.get() ?? attempt
    if (culprit === attempt) this.#end(attempt, { kind: 'failed', error, retry: 'policy' }, true)
    else {
      // Left behind by a run that has ended: this one has no part in it. It goes on, the next one gets a fresh process.
      this.#spent = true
      const message = error instanceof Error ? error.message : String(error)
      this.#log('warn', `An error that nobody caught, after the end of its run: ${message}`, undefined, culprit)
    }
    return true
  }

  #run({ job, worker, softLimit }: Order & { kind: 'run' }): void {
    const task = this.#options.task(job.task)
    if (task?.versions.includes(job.version) !== true) {
      const what = task === undefined ? `task ${job.task}` : `place for version ${job.version} of task ${job.task}`
      const text = `The file of the app has no ${what} any more: it was changed under its running worker`
      this.#options.report({ kind: 'log', level: 'error', message: text, data: undefined, late: undefined })
      const when = { kind: 'delay', ms: UNKNOWN_TASK_PAUSE_MS } as const
      this.#options.report({ kind: 'ended', plan: { kind: 'snooze', when, reason: text }, ...NOTHING, spent: true })
      return
    }
    const timeLimit = softLimit === undefined ? undefined : { soft: softLimit, hard: NO_HARD_LIMIT }
    const attempt: Attempt = new CellAttempt(job, { ...task, timeLimit }, new Ledger(worker, () => true), (report) => {
      // What still runs of one that has ended would speak for the next.
      if (this.#attempt === attempt) this.#options.report(report)
    })
    this.#crowded = false
    this.#attempt = attempt
    if (task.stallAfter !== undefined) this.#showLife(attempt, Math.min(LIFE_MS, task.stallAfter / 8))
    this.#executor.run(attempt, (outcome) => this.#ended(attempt, outcome))
  }

  /** While its loop turns and items get done, the worker hears of it. */
  #showLife(attempt: Attempt, every: number): void {
    let { steps } = attempt
    this.#pulse = setInterval(() => {
      if (attempt.steps !== steps) this.#options.report({ kind: 'alive' })
      steps = attempt.steps
    }, every)
  }

  #interrupt({ reason, now, error, asked }: Order & { kind: 'interrupt' }): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    attempt.asked = unpackAsked(asked) ?? attempt.asked
    // The message carries its code already.
    const own = error && new HoldfastError(error.code as never, error.message.replace(` [${error.code}]`, ''))
    attempt.interrupt(reason, own ?? new Interrupted(reason), now)
  }

  #ended(attempt: Attempt, outcome: Outcome): void {
    if (outcome.kind !== 'completed' || attempt.outgoing.length === 0 || attempt.settled) {
      return this.#end(attempt, outcome, false)
    }
    finishWithEnqueued(this.#options, attempt, outcome.result).then(
      (written) => {
        attempt.settled = written
        this.#end(attempt, outcome, false)
      },
      (error: unknown) => this.#end(attempt, outcomeOfError(attempt, error, this.#options.db), false),
    )
  }

  /** Once a run: after an uncaught exception, its code may still come to an end of its own. */
  #end(attempt: Attempt, outcome: Outcome, spent: boolean): void {
    if (attempt !== this.#attempt) return
    this.#attempt = undefined
    clearInterval(this.#pulse)
    const plan = planOf(attempt, outcome)
    const { settled, where } = attempt
    this.#options.report({
      kind: 'ended',
      plan,
      settled,
      where,
      asked: packAsked(attempt.asked),
      spent: spent || this.#spent,
    })
  }

  #checkpointed(): void {
    const now = monotonic()
    if (!this.#logged && now - this.#reportedAt < CHECKPOINTS_MS) return
    this.#logged = false
    this.#reportedAt = now
    this.#options.report({ kind: 'checkpoint' })
  }

  #log(level: 'info' | 'warn' | 'error', message: string, data: object | undefined, attempt: Attempt): void {
    const { job } = attempt
    // The worker keeps its lines, but for the last ones of a run that completes in its own transaction, which must be written there.
    noteLine(attempt, level, message, data)
    this.#logged = true
    const late = this.#attempt?.job === job ? undefined : { job: job.id, task: job.task, run: job.run }
    this.#options.report({ kind: 'log', level, message: String(message), data: plain(data), late })
  }
}

/** A run's attempt, which tells the worker of its progress: the worker writes it down with its next renewal. */
class CellAttempt extends Attempt {
  readonly #report: (report: Report) => void

  constructor(job: Claimed, task: TaskDefinition, ledger: Ledger, report: (report: Report) => void) {
    super(job, task, ledger)
    this.#report = report
  }

  override report(done: number, total: number | undefined): void {
    super.report(done, total)
    if (this.progress !== undefined) this.#report({ kind: 'progress', ...this.progress })
  }
}

const NOTHING = { settled: false, where: undefined, asked: undefined } as const

/** What crosses to the worker, whatever somebody logs. */
function plain(data: object | undefined): object | undefined {
  if (data === undefined) return undefined
  try {
    return JSON.parse(printableJson(data)) as object
  } catch (error) {
    return { 'holdfast: the data was dropped': error instanceof Error ? error.message : 'it is no JSON' }
  }
}
