/** A queue that is fetched from. It says who by where that is each worker's own business (Celery), not the queue's (BullMQ). */
export interface Fetching {
  readonly queue: string
  readonly worker?: string
  /** Which start of the worker: its process id and when it started by its own word, wall ms. */
  readonly start?: { readonly pid: number; readonly at: number }
}

/** Someone who should have answered and did not. */
export interface Silent {
  readonly who: string
  readonly why: string
}

export interface FleetLook {
  /** The workers that answered, or that the broker sees. */
  readonly workers: readonly string[]
  /** What would have to be paused. Empty: the pause is acknowledged. */
  readonly fetching: readonly Fetching[]
  readonly silent: readonly Silent[]
}

/** A job in the hands of a worker. */
export interface FleetJob {
  readonly id: string
  readonly task: string
  /** Empty: the system does not tell. */
  readonly worker: string
  /** `taken`: not begun, but the worker has it and will begin it, whatever is paused. */
  readonly state: 'running' | 'taken'
  readonly queue?: string
  readonly runningMs?: number
}

/** A job that a worker keeps until its time has come. */
export interface LaterJob {
  readonly id: string
  readonly task: string
  readonly worker: string
  readonly dueMs: number
}

export interface FleetWork {
  readonly jobs: readonly FleetJob[]
  /** So many more that were not read, where one of `jobs` may not be interrupted already. */
  readonly more?: number
  readonly later: readonly LaterJob[]
  readonly silent: readonly Silent[]
}

export interface Resumed {
  readonly resumed: readonly Fetching[]
  /** Workers that have started anew since the pause: what they fetch is their own business. */
  readonly restarted: readonly string[]
  /** Still paused as far as is known. */
  readonly silent: readonly Silent[]
  readonly left: readonly Fetching[]
}

/** What such a system cannot do, and what a person types to undo a pause without Holdfast. */
export interface FleetLimits {
  readonly cannot: readonly string[]
  readonly undo: (held: readonly Fetching[]) => readonly string[]
}

/**
 * A fleet of another job system, as the gate needs it. Every call is bounded in time, and throws a `HoldfastError` when the system cannot
 * be asked at all; who does not answer is `silent`.
 */
export interface Fleet extends FleetLimits {
  readonly system: string
  /** Changes nothing. */
  workers(): Promise<FleetLook>
  /** Asks for it; that it is heeded is what `workers()` tells. */
  pause(queues: readonly Fetching[]): Promise<void>
  /** What the workers have in their hands. To be asked when they fetch no more: until then the answer is old at once. */
  active(workers: readonly string[]): Promise<FleetWork>
  /** Whether a stop in the middle of this job does no harm. */
  isInterruptible(job: { readonly task: string; readonly worker: string }): boolean
  resume(held: readonly Fetching[]): Promise<Resumed>
}

/** A worker tells how long it has been up in whole seconds. */
const SAME_START_MS = 5_000

export function sameQueue(a: Fetching, b: Fetching): boolean {
  return a.queue === b.queue && a.worker === b.worker
}

/** Of the two, one is of an earlier start of the same worker: it has other queues since, maybe. */
export function ofAnotherStart(a: Fetching, b: Fetching): boolean {
  if (a.worker !== b.worker || a.start === undefined || b.start === undefined) return false
  return a.start.pid !== b.start.pid || Math.abs(a.start.at - b.start.at) > SAME_START_MS
}
