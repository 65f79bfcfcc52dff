import { onStopSignal } from '../deploy/signals.ts'
import { shutdownBudget } from '../model/config.ts'
import { parseDuration } from '../model/duration.ts'
import { stayToHandOff } from './early-stop.ts'

const DEFAULT_GRACE_MS = 30_000

/**
 * The stop of this process: heard from the first moment on, whatever is being loaded or connected then.
 */
export class Stop {
  /** Aborts at the first stop signal. */
  readonly signal: AbortSignal
  /** Why, for the log. */
  reason = ''
  readonly #controller = new AbortController()
  readonly #again: (reason: string, leftMs: number) => void
  #at = 0
  #graceMs = graceFromEnvironment()

  /** `again` is told of each further signal, with the ms that are left. */
  constructor(again: (reason: string, leftMs: number) => void) {
    this.signal = this.#controller.signal
    this.#again = again
    onStopSignal(
      (signal) => this.request(signal),
      (signal) => this.#again(signal, this.leftMs),
    )
    stayToHandOff()
  }

  /** Stops as a signal does: the first request counts. */
  request(reason: string): void {
    if (this.signal.aborted) return
    this.reason = reason
    this.#at = performance.now()
    this.#controller.abort(new Error(`stopped by ${reason}`))
  }

  /** Known when the config is: before, the environment's or the default. */
  set graceMs(ms: number) {
    this.#graceMs = ms
  }

  /** ms until the process must be gone; before a stop, all of it. */
  get leftMs(): number {
    const gone = this.signal.aborted ? performance.now() - this.#at : 0
    return Math.max(0, this.#graceMs - gone)
  }

  /** ms of it that jobs may use. */
  get budgetLeftMs(): number {
    return Math.max(0, this.leftMs - (this.#graceMs - shutdownBudget(this.#graceMs)))
  }
}

/** A grace that cannot be read is refused later, with its name; here it only must not keep the signals from being heard. */
function graceFromEnvironment(): number {
  const grace = process.env['HOLDFAST_GRACE']
  try {
    return grace === undefined ? DEFAULT_GRACE_MS : parseDuration(grace, 'HOLDFAST_GRACE')
  } catch {
    return DEFAULT_GRACE_MS
  }
}
