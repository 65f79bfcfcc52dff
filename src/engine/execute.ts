import { HoldfastError, isHoldfastError } from '../model/errors.ts'
import { isInstance } from '../model/instance-of.ts'
import { decodeJson } from '../model/json.ts'
import { type Outcome, outcomeOfThrow } from '../model/outcome.ts'
import { type Database, isDown } from '../store/db.ts'
import { parseInput } from '../tasks/validate.ts'
import type { Attempt } from './attempt.ts'
import { completeInside } from './complete.ts'
import { type ContextPorts, RunContext } from './context.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { IterationEnded, runIteration } from './iteration.ts'
import { monotonic } from './monotonic.ts'
import { resultText } from './result.ts'
import { Starter } from './start.ts'

/** Runs one attempt through its stages to an outcome. Every way out of the code joins here: return, throw, limit, stop, lost lease. */
export class Executor {
  readonly #ports: ExecutePorts
  readonly #contexts: ContextPorts
  readonly #starter: Starter

  constructor(ports: ExecutePorts) {
    this.#ports = ports
    this.#starter = new Starter(ports.db)
    this.#contexts = {
      log: ports.log,
      newJob: ports.newJob,
      complete: (attempt, write) => completeInside(attempt, write, ports),
    }
  }

  /** Calls `ended` exactly once, at once when the code is synchronous: a promise a job costs more than such a job does. */
  run(attempt: Attempt, ended: (outcome: Outcome) => void): void {
    if (attempt.job.expired) return ended({ kind: 'expired' })
    if (attempt.task.delivery === 'at-most-once') {
      this.#starter.start(attempt).then(
        (started) => (started ? this.#call(attempt, ended) : ended({ kind: 'interrupted', reason: 'lease-lost' })),
        () => ended({ kind: 'lost' }),
      )
      return
    }
    this.#call(attempt, ended)
  }

  #call(attempt: Attempt, ended: (outcome: Outcome) => void): void {
    const { log } = this.#ports
    let result: unknown
    try {
      const input = this.#input(attempt)
      result = isThenable(input)
        ? Promise.resolve(input).then((parsed) => this.#body(attempt, parsed))
        : this.#body(attempt, input)
    } catch (error) {
      return ended(outcomeOfError(attempt, error, this.#ports.db))
    }
    if (!isThenable(result)) return ended(completed(attempt, result, log))
    const timer = limit(attempt)
    void Promise.resolve(result)
      .then(
        (value) => completed(attempt, value, log),
        (error: unknown) => outcomeOfError(attempt, error, this.#ports.db),
      )
      .then((outcome) => {
        clearTimeout(timer)
        ended(outcome)
      })
  }

  #input(attempt: Attempt): unknown {
    const { input } = attempt.job
    const { task } = attempt
    const raw = input === null ? undefined : decodeJson(input)
    return parseInput(task, raw === null && task.input === undefined ? undefined : raw)
  }

  #body(attempt: Attempt, input: unknown): unknown {
    const context = new RunContext(attempt, this.#contexts)
    const { iteration, run } = attempt.task
    if (iteration !== undefined) return runIteration(attempt, iteration, input, context, this.#ports)
    return run?.(input, context as never)
  }
}

function completed(attempt: Attempt, result: unknown, log: ContextPorts['log']): Outcome {
  if (attempt.settled) return { kind: 'completed', result: null }
  if (isInstance(result, IterationEnded)) return result.outcome
  const overdue = attempt.aborted === 'limit' || attempt.aborted === 'lease-lost'
  if (overdue) return attempt.outcomeOfStop() as Outcome
  return { kind: 'completed', result: resultText(attempt, result, log) }
}

/** What a throw means for the run: what its code asked for, what had stopped it, or a failure. */
export function outcomeOfError(attempt: Attempt, thrown: unknown, db: Database): Outcome {
  const error = attempt.unwrap(thrown)
  if (isFenced(error)) return { kind: 'interrupted', reason: 'lease-lost' }
  // The database was gone, not the code wrong: that costs no retry, and the run goes on from its checkpoint when it can.
  if (isDown(error, db) && attempt.task.delivery !== 'at-most-once')
    return { kind: 'snoozed', until: { kind: 'delay', ms: DATABASE_PAUSE_MS } }
  const outcome = outcomeOfThrow(error)
  // Code that asks for something keeps its word, even when it was being stopped.
  if (outcome.kind !== 'failed' || outcome.retry !== 'policy') return outcome
  return attempt.outcomeOfStop() ?? outcome
}

const DATABASE_PAUSE_MS = 1_000

function isFenced(error: unknown): boolean {
  return isHoldfastError(error, 'HF_FENCED') || isHoldfastError(error, 'HF_LEASE_LOST')
}

/** The soft limit: the signal aborts, and what the code does then is a failure. */
function limit(attempt: Attempt): NodeJS.Timeout | undefined {
  const { timeLimit } = attempt.task
  if (timeLimit === undefined) return undefined
  const left = timeLimit.soft - (monotonic() - attempt.startedAt)
  return setTimeout(
    () => {
      const error = new HoldfastError('HF_TIME_LIMIT', `The run took longer than its limit of ${timeLimit.soft} ms`)
      attempt.interrupt('limit', error, true)
    },
    Math.max(0, Math.min(left, 2 ** 31 - 1)),
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
  } catch {
    return false // a Proxy: it is taken as it is, and found unfit as a result
  }
}
