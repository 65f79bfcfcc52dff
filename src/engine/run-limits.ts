import { formatDuration, MAX_TIMER_MS } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import type { ResolvedLimit } from '../model/time-limit.ts'
import type { Attempt } from './attempt.ts'
import { current } from './current.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { monotonic } from './monotonic.ts'

/** Between the abort and the end of code that hears it, where both limits are the same. */
const LEAST_MS = 100
const DOUBT_MS = 50
/** Turns of the loop. A run that blocks it again and again is always in doubt. */
const MOST_DOUBTS = 60

type Ports = Pick<ExecutePorts, 'log' | 'hardStop' | 'inDoubt'>

/**
 * The limits of one run, while its event loop turns: at the soft one its signal aborts and its clean-up begins, at the hard one whoever can
 * stop code is asked to. A loop that does not turn is the watchdog's. The time for which others blocked the loop does not count.
 */
export class RunLimits {
  readonly #attempt: Attempt
  readonly #limit: ResolvedLimit
  readonly #ports: Ports
  #timer: NodeJS.Timeout | undefined
  #cleaning: Promise<void> | undefined
  #doubts = 0

  constructor(attempt: Attempt, limit: ResolvedLimit, ports: Ports) {
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
    const text = `The run took longer than its limit of ${formatDuration(soft)}`
    attempt.interrupt('limit', new HoldfastError('HF_TIME_LIMIT', text), true)
    if (attempt.onTimeout !== undefined) this.#cleaning = this.#cleanUp(attempt.onTimeout)
    // Where the whole process stood still, the time to clean up begins now.
    this.#wait(this.#used + Math.max(hard - soft, LEAST_MS), () => this.#hard())
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

  /** How long it has been running, in ms of its own. */
  get #used(): number {
    return monotonic() - this.#attempt.startedAt - this.#attempt.lostTime
  }

  /** Until it has used `ms`. A timer cannot wait for more than 24 days. */
  #wait(ms: number, then: () => void): void {
    const left = Math.min(Math.max(0, ms - this.#used), MAX_TIMER_MS)
    this.#timer = setTimeout(() => this.#look(ms, then), left)
  }

  #look(ms: number, then: () => void): void {
    if (ms - this.#used > 1) return this.#wait(ms, then)
    if (this.#ports.inDoubt?.() !== true || this.#doubts++ >= MOST_DOUBTS) return then()
    this.#timer = setTimeout(() => this.#look(ms, then), DOUBT_MS)
  }
}
