import type { NewJob } from '../store/enqueue.ts'
import type { ItemCtx, JobInfo, Logger } from '../tasks/context.ts'
import type { Attempt } from './attempt.ts'

/** What the contexts of one worker's runs share. */
export interface ContextPorts {
  readonly log: (level: 'info' | 'warn' | 'error', message: string, data: object | undefined, attempt: Attempt) => void
  /** Checks a job that code enqueues, and gives its row. */
  readonly newJob: (what: unknown, input: unknown, options: object | undefined) => NewJob
  readonly complete: (attempt: Attempt, write: (tx: unknown) => unknown) => Promise<unknown>
}

/**
 * What a handler is lent. One object a run (and a light one an item); functions are own properties, so that handlers may take
 * them apart; what costs something is made when first looked at.
 */
export class RunContext {
  readonly #attempt: Attempt
  readonly #ports: ContextPorts
  #log: Logger | undefined
  #job: JobInfo | undefined

  constructor(attempt: Attempt, ports: ContextPorts) {
    this.#attempt = attempt
    this.#ports = ports
  }

  get job(): JobInfo {
    if (this.#job !== undefined) return this.#job
    const { id, task, queue, run, failures, interruptions, crashes, losses } = this.#attempt.job
    this.#job = Object.freeze({ id, task, queue, run, failures, interruptions, crashes, losses })
    return this.#job
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get log(): Logger {
    const { log } = this.#ports
    this.#log ??= {
      info: (message, data) => log('info', message, data, this.#attempt),
      warn: (message, data) => log('warn', message, data, this.#attempt),
      error: (message, data) => log('error', message, data, this.#attempt),
    }
    return this.#log
  }

  get enqueue() {
    return (what: unknown, input?: unknown, options?: object): { id: string } =>
      this.enqueueFor(-1, what, input, options)
  }

  enqueueFor(item: number, what: unknown, input: unknown, options: object | undefined): { id: string } {
    const job = this.#ports.newJob(what, input, options)
    this.#attempt.enqueue(job, item)
    return { id: job.id }
  }

  get progress() {
    return (done: number, total?: number): void => this.#attempt.report(done, total)
  }

  get idempotencyKey() {
    return (label?: string): string => keyOf(this.#attempt, undefined, label)
  }

  get complete() {
    return (write: (tx: unknown) => unknown): Promise<unknown> => this.#ports.complete(this.#attempt, write)
  }
}

/** The context of one item: the run's, with the item's place. */
export function itemContext(run: RunContext, attempt: Attempt, index: number): ItemCtx<string> {
  return new ItemContext(run, attempt, index) as unknown as ItemCtx<string>
}

class ItemContext {
  readonly index: number
  readonly #run: RunContext
  readonly #attempt: Attempt

  constructor(run: RunContext, attempt: Attempt, index: number) {
    this.#run = run
    this.#attempt = attempt
    this.index = index
  }

  get job() {
    return this.#run.job
  }
  get signal() {
    return this.#run.signal
  }
  get log() {
    return this.#run.log
  }
  get enqueue() {
    return (what: unknown, input?: unknown, options?: object): { id: string } =>
      this.#run.enqueueFor(this.index, what, input, options)
  }
  get progress() {
    return this.#run.progress
  }
  get end() {
    return (): void => {
      this.#attempt.endsAt = Math.min(this.index, this.#attempt.endsAt ?? this.index)
    }
  }
  get idempotencyKey() {
    return (label?: string): string => keyOf(this.#attempt, this.index, label)
  }
}

/** Stable over runs, retries and builds: made of the job and the item's place alone. */
function keyOf(attempt: Attempt, index: number | undefined, label: string | undefined): string {
  return ['hf', attempt.job.id, ...(index === undefined ? [] : [index]), ...(label === undefined ? [] : [label])].join(
    ':',
  )
}
