import { isHoldfastError } from '../model/errors.ts'
import { isInstance } from '../model/instance-of.ts'
import { decodeJson } from '../model/json.ts'
import { type InterruptReason, type Outcome, outcomeOfThrow } from '../model/outcome.ts'
import type { Database } from '../store/db.ts'
import { isDown } from '../store/db-errors.ts'
import { parseInput } from '../tasks/validate.ts'
import { upgradeInput } from '../tasks/versions.ts'
import type { Attempt } from './attempt.ts'
import { completeInside } from './complete.ts'
import { type ContextPorts, RunContext } from './context.ts'
import { current } from './current.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { IterationEnded, runIteration } from './iteration.ts'
import { resultText } from './result.ts'
import { RunLimits } from './run-limits.ts'
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
      attempt.mayHaveStarted = true
      this.#starter.start(attempt).then(
        // The answer may come so late that others have called the job lost: then somebody may have seen to it already.
        (started) =>
          started && attempt.ledger.held
            ? this.#call(attempt, ended)
            : ended({ kind: 'interrupted', reason: 'lease-lost' }),
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
      result = current.run(attempt, this.#code, attempt)
    } catch (error) {
      return ended(outcomeOfError(attempt, error, this.#ports.db))
    }
    if (!isThenable(result)) return ended(completed(attempt, result, log))
    const limits = attempt.task.timeLimit && new RunLimits(attempt, attempt.task.timeLimit, this.#ports)
    void Promise.resolve(result)
      .then(
        (value) => completed(attempt, value, log),
        (error: unknown) => outcomeOfError(attempt, error, this.#ports.db),
      )
      .then((outcome) => {
        const cleaned = limits?.end()
        if (cleaned === undefined) ended(outcome)
        else void cleaned.then(() => ended(outcome))
      })
  }

  /** Everything that is the user's: it runs as this attempt's. */
  readonly #code = (attempt: Attempt): unknown => {
    const input = this.#input(attempt)
    return isThenable(input)
      ? Promise.resolve(input).then((parsed) => this.#body(attempt, parsed))
      : this.#body(attempt, input)
  }

  #input(attempt: Attempt): unknown {
    const { input, version } = attempt.job
    const { task } = attempt
    const raw = input === null ? undefined : decodeJson(input)
    if (version !== task.version) return this.#upgraded(attempt, raw)
    return parseInput(task, raw === null && task.input === undefined ? undefined : raw)
  }

  async #upgraded(attempt: Attempt, raw: unknown): Promise<unknown> {
    const upgraded = await upgradeInput(attempt.task, attempt.job.version, raw)
    attempt.upgraded = upgraded
    return upgraded.parsed
  }

  #body(attempt: Attempt, input: unknown): unknown {
    const context = new RunContext(attempt, this.#contexts)
    const { iteration, run, onTimeout } = attempt.task
    if (onTimeout !== undefined) attempt.onTimeout = () => onTimeout(input, context as never)
    if (iteration !== undefined) return runIteration(attempt, iteration, input, context, this.#ports)
    return run?.(input, context as never)
  }
}

function completed(attempt: Attempt, result: unknown, log: ContextPorts['log']): Outcome {
  if (attempt.settled) return { kind: 'completed', result: null }
  if (isInstance(result, IterationEnded)) return outcomeOfIteration(attempt, result.outcome)
  if (attempt.condemned !== undefined || OVERDUE.has(attempt.aborted)) return attempt.outcomeOfStop() as Outcome
  return { kind: 'completed', result: resultText(attempt, result, log) }
}

/** Whoever returns after one of these returns too late. */
const OVERDUE = new Set<InterruptReason | undefined>(['limit', 'stall', 'lease-lost'])

/** A loop that was stopped says only that; why it must not go on says what it means. */
function outcomeOfIteration(attempt: Attempt, outcome: Outcome): Outcome {
  const failed = attempt.condemned !== undefined || attempt.aborted === 'limit' || attempt.aborted === 'stall'
  return failed && outcome.kind === 'interrupted' ? (attempt.outcomeOfStop() ?? outcome) : outcome
}

/** What a throw means for the run: what its code asked for, what had stopped it, or a failure. */
export function outcomeOfError(attempt: Attempt, thrown: unknown, db: Database): Outcome {
  const error = attempt.unwrap(thrown)
  if (isFenced(error)) return { kind: 'interrupted', reason: 'lease-lost' }
  // Not the code was wrong: the database was gone, or the whole process stood still inside a transaction. That costs no retry, and the
  // job goes on from its checkpoint when it can.
  const cutOff = isDown(error, db) || (isHoldfastError(error, 'HF_TX_IDLE') && attempt.ledger.stoodStill)
  if (cutOff && attempt.task.delivery !== 'at-most-once') {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: 'snoozed', until: { kind: 'delay', ms: DATABASE_PAUSE_MS }, reason }
  }
  if (attempt.condemned !== undefined) return attempt.outcomeOfStop() as Outcome
  const outcome = outcomeOfThrow(error)
  // Code that asks for something keeps its word, even when it was being stopped.
  if (outcome.kind !== 'failed' || outcome.retry !== 'policy') return outcome
  return attempt.outcomeOfStop() ?? outcome
}

const DATABASE_PAUSE_MS = 1_000

function isFenced(error: unknown): boolean {
  return isHoldfastError(error, 'HF_FENCED') || isHoldfastError(error, 'HF_LEASE_LOST')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
  } catch {
    return false // a Proxy: it is taken as it is, and found unfit as a result
  }
}
