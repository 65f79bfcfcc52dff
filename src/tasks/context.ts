import type { AnyContract, InputOf } from './contract.ts'
import type { EnqueueOptions } from './enqueue-options.ts'

/** Lines logged through it carry the job, and end up in the worker's log. */
export interface Logger {
  info(message: string, data?: object): void
  warn(message: string, data?: object): void
  error(message: string, data?: object): void
}

export interface JobInfo {
  /** A UUIDv7: sorts by creation. */
  readonly id: string
  /** The name it was enqueued under: the task's own or one of its aliases. */
  readonly task: string
  readonly queue: string
  /** Counts the stays on a worker, this one included: 1 on the first. It is the fence of everything this run writes. */
  readonly run: number
  /** How often the code threw or timed out. Only these use up retries. */
  readonly failures: number
  /** How often a deploy, scale-in or drain stopped it. */
  readonly interruptions: number
  /** How often the process under it died of itself: out of memory, a native crash, `process.exit`. */
  readonly crashes: number
  /** How often its worker vanished under it, and nobody saw how. */
  readonly losses: number
}

/** What every body is lent for one run. Its functions need no `this`: take them apart as you like. */
export interface Ctx<Q extends string> {
  readonly job: JobInfo
  /** Aborts when the run must end (its reason is an `Interrupted` error that says why): pass it to `fetch` and the like, and return or throw promptly. */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * Enqueues another job with this run's outcome (task) or next checkpoint (iteration): it commits with it, or never
   * existed. The input is checked at once: a bad one throws `HF_INPUT` here.
   */
  readonly enqueue: <T extends AnyContract>(
    task: T,
    ...rest: InputAndOptions<T, Omit<EnqueueOptions<Q, never>, 'tx'>>
  ) => { readonly id: string }
  /**
   * How far the run is, for `holdfast jobs list` and `jobs show`. An iteration reports its items by itself; there, a call is a sign of life
   * (`stallAfter`) and nothing else.
   */
  readonly progress: (done: number, total?: number) => void
  /**
   * The same string for this job (and item, in an iteration) on every run, retry and build: give it to an API that
   * takes an idempotency key, and a repeated call has no second effect. `label` tells two calls for one item apart.
   */
  readonly idempotencyKey: (label?: string) => string
}

export interface TaskCtx<Q extends string, Tx> extends Ctx<Q> {
  /** Your writes and this job's completion in one transaction: exactly once. At most one call in a run, and the last thing it does. */
  readonly complete: <T>(write: (tx: Tx) => T | Promise<T>) => Promise<T>
}

/** What `prepare` and `each` are lent for one item. */
export interface ItemCtx<Q extends string> extends Ctx<Q> {
  /** The item's place in the collection, from 0 on; goes on counting after a resume. */
  readonly index: number
  /**
   * Ends the collection with this item: it is saved as done, nothing after it is worked on, `done` runs and the job completes.
   * (job-iteration's `throw :abort`, but with `done`.)
   */
  readonly end: () => void
}

/** `each` writes through `tx`, which commits together with the cursor. With `checkpoint: 'periodic'` there is none. */
export type EachCtx<Q extends string, Tx, M> = ItemCtx<Q> & (M extends 'periodic' ? unknown : { readonly tx: Tx })

/** The arguments after the task: the input is optional exactly when `undefined` is one. */
export type InputAndOptions<T extends AnyContract, Options> =
  undefined extends InputOf<T> ? [input?: InputOf<T>, options?: Options] : [input: InputOf<T>, options?: Options]
