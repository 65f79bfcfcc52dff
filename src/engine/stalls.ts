import { formatDuration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import { cleanUpTime } from '../model/time-limit.ts'
import type { Attempt } from './attempt.ts'
import { monotonic } from './monotonic.ts'
import { Service } from './service.ts'

export interface StallOptions {
  readonly attempts: ReadonlySet<Attempt>
  /** Its code has not begun: it waits for a process of its own. */
  readonly waits: (attempt: Attempt) => boolean
  /** See `ExecutePorts`. */
  readonly inDoubt: () => boolean
  readonly log: (level: 'warn', message: string, data: object) => void
  readonly hardStop: (attempt: Attempt, error: Error) => void
}

const EVERY_MS = 1_000
const DOUBT_MS = 100

/**
 * Looks for iterations that stand still: no item done for `stallAfter`. Such a run is told to stop, then stopped; the next one goes on from
 * the checkpoint. It has failed: one that stalls at the same place for ever must come to an end.
 */
export class StallWatch {
  readonly #options: StallOptions
  readonly #service: Service
  readonly #seen = new WeakMap<Attempt, number>()

  constructor(options: StallOptions) {
    this.#options = options
    this.#service = new Service(
      () => this.#look(),
      () => {},
    )
  }

  start(): void {
    this.#service.start(EVERY_MS)
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }

  async #look(): Promise<number> {
    if (this.#options.inDoubt()) return DOUBT_MS
    const now = monotonic()
    let every = EVERY_MS
    for (const attempt of this.#options.attempts) {
      const { stallAfter } = attempt.task
      if (stallAfter === undefined) continue
      every = Math.min(every, Math.max(50, stallAfter / 4))
      const waits = attempt.waiting > 0 || this.#options.waits(attempt)
      if (this.#seen.get(attempt) === attempt.steps && !waits)
        this.#standsStill(attempt, now - attempt.movedAt, stallAfter)
      else {
        this.#seen.set(attempt, attempt.steps)
        attempt.movedAt = now
      }
    }
    return every
  }

  #standsStill(attempt: Attempt, ms: number, stallAfter: number): void {
    if (ms < stallAfter) return
    if (attempt.aborted === undefined) {
      const { job } = attempt
      const text = `The run made no progress for ${formatDuration(ms)}: it is stopped, and goes on from its checkpoint`
      this.#options.log('warn', text, { job: job.id, task: job.task, run: job.run })
      attempt.interrupt('stall', stalled(ms), true)
    } else if (attempt.aborted === 'stall' && ms >= stallAfter + cleanUpTime(stallAfter)) {
      this.#options.hardStop(attempt, stalled(ms))
    }
  }
}

function stalled(ms: number): HoldfastError {
  return new HoldfastError('HF_STALLED', `The run made no progress for ${formatDuration(ms)}`)
}
