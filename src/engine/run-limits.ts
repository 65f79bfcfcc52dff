import { formatDuration, MAX_TIMER_MS } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import type { ResolvedLimit } from '../model/time-limit.ts'
import type { Attempt } from './attempt.ts'
import { current } from './current.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { monotonic } from './monotonic.ts'

/** Between the abort and the end of code that hears it, where both limits are the same. */
const LEAST_MS = 100

/**
 * The limits of one run, while its event loop turns: at the soft one its signal aborts and its clean-up begins, at the hard one whoever can
 * stop code is asked to. A loop that does not turn is the watchdog's.
 */
export class RunLimits {
  readonly #attempt: Attempt
  readonly #limit: ResolvedLimit
  readonly #ports: Pick<ExecutePorts, 'log' | 'hardStop'>
  #timer: NodeJS.Timeout | undefined
  #cleaning: Promise<void> | undefined

  constructor(attempt: Attempt, limit: ResolvedLimit, ports: Pick<ExecutePorts, 'log' | 'hardStop'>) {
    this.#attempt = attempt
    this.#limit = limit
    this.#ports = ports
    this.#wait(limit.soft, () => this.#soft())
  }

  /** The code has ended. Resolves when its clean-up has, too; undefined: there was none. The hard limit holds until then. */
  end(): Promise<void> | undefined {
    if (this.#cleaning !== undefined) return this.#cleaning.finally(() => clearTimeout(this.#timer))
    clearTimeout(this.#timer)
    return undefined
  }

  #soft(): void {
    const { soft, hard } = this.#limit
    const attempt = this.#attempt
    // Where the whole process stood still, or somebody else's code blocked it, the time to clean up begins now.
    const now = monotonic() - attempt.startedAt
    const text = `The run took longer than its limit of ${formatDuration(soft)}`
    attempt.interrupt('limit', new HoldfastError('HF_TIME_LIMIT', text), true)
    if (attempt.onTimeout !== undefined) this.#cleaning = this.#cleanUp(attempt.onTimeout)
    this.#wait(now + Math.max(hard - soft, LEAST_MS), () => this.#hard())
  }

  async #cleanUp(onTimeout: () => unknown): Promise<void> {
    try {
      await current.run(this.#attempt, onTimeout)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#ports.log('warn', `onTimeout failed: ${message}`, undefined, this.#attempt)
    }
  }

  #hard(): void {
    const text = `The run was still going at its hard limit of ${formatDuration(this.#limit.hard)}, and does not hear its signal`
    this.#ports.hardStop?.(this.#attempt, new HoldfastError('HF_HARD_LIMIT', text))
  }

  /** Until `ms` after the run began. A timer cannot wait for more than 24 days. */
  #wait(ms: number, then: () => void): void {
    const left = Math.max(0, ms - (monotonic() - this.#attempt.startedAt))
    this.#timer = setTimeout(() => (left > MAX_TIMER_MS ? this.#wait(ms, then) : then()), Math.min(left, MAX_TIMER_MS))
  }
}
