import { HoldfastError } from '../model/errors.ts'
import { shouldRetry } from '../model/retry.ts'
import type { CondemnedJob, VerdictKind } from '../model/verdict.ts'
import type { Attempt } from './attempt.ts'
import { current } from './current.ts'
import type { StoppedPolicy } from './settle-verdict.ts'

/** What the watchdog learns of the run whose code blocks the event loop. */
export interface Watched {
  readonly job: CondemnedJob
  /** When that code must have stopped, monotonic ms; undefined: it has no limit. */
  readonly deadline: number | undefined
  readonly kind: VerdictKind
  /** The limit in ms, for the message. */
  readonly limit: number
  readonly policy: StoppedPolicy
}

/** Evaluated by the watchdog on the main thread while that is paused: gives `Watched` as JSON, or null outside of any run. */
export const WATCHED = 'holdfast.watched'

/** A registered symbol: this package may have been loaded a second time, and each copy knows its own runs. */
const REGISTERED = Symbol.for(WATCHED)
type Look = () => string | null

/** Lets the watchdog ask. */
export function letWatch(): void {
  const place = globalThis as { [REGISTERED]?: Set<Look> }
  place[REGISTERED] ??= new Set()
  place[REGISTERED].add(look)
}

function look(): string | null {
  const attempt = current.get()
  return attempt === undefined ? null : JSON.stringify(watchedOf(attempt))
}

export function watchedOf(attempt: Attempt): Watched {
  const { task, job } = attempt
  const { at, kind, limit } = attempt.deadline ?? { at: undefined, kind: 'blocked', limit: 0 }
  return { job: condemnedOf(job), deadline: at, kind, limit, policy: stoppedPolicy(task) }
}

export function condemnedOf({ id, run, task, failures }: CondemnedJob): CondemnedJob {
  return { id, run, task, failures }
}

/** What a process without the app's code must know of a task to settle a run of it. */
export function stoppedPolicy({ delivery, retry }: Attempt['task']): StoppedPolicy {
  if (retry === false) return { delivery, retry }
  const { limit, backoff, factor, max, jitter } = retry
  const error = new HoldfastError('HF_HARD_LIMIT', 'The run was stopped')
  const listed = shouldRetry({ ...retry, limit: 1 }, error, 1).retry
  return { delivery, retry: listed ? { limit, backoff, factor, max, jitter } : false }
}
