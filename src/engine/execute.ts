import { HoldfastError } from '../model/errors.ts'
import { decodeJson } from '../model/json.ts'
import { type Outcome, outcomeOfThrow } from '../model/outcome.ts'
import { isConnectionTrouble } from '../store/db.ts'
import { readStart, start } from '../store/jobs.ts'
import { parseInput } from '../tasks/validate.ts'
import type { Attempt } from './attempt.ts'
import { completeInside } from './complete.ts'
import { type ContextPorts, RunContext } from './context.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { IterationEnded, runIteration } from './iteration.ts'
import { monotonic } from './monotonic.ts'
import { resultText } from './result.ts'

/** Runs one attempt through its stages to an outcome. Every way out of the code joins here: return, throw, limit, stop, lost lease. */
export class Executor {
  readonly #ports: ExecutePorts
  readonly #contexts: ContextPorts

  constructor(ports: ExecutePorts) {
    this.#ports = ports
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
      this.#startOnce(attempt).then(
        (started) => (started ? this.#call(attempt, ended) : ended({ kind: 'interrupted', reason: 'lease-lost' })),
        () => ended({ kind: 'lost' }),
      )
      return
    }
    this.#call(attempt, ended)
  }

  #call(attempt: Attempt, ended: (outcome: Outcome) => void): void {
    const settle = (result: unknown): void => ended(completed(attempt, result, this.#ports.log))
    const fail = (error: unknown): void => ended(outcomeOfError(attempt, error))
    try {
      const input = this.#input(attempt)
      const result = isThenable(input)
        ? Promise.resolve(input).then((parsed) => this.#body(attempt, parsed))
        : this.#body(attempt, input)
      if (!isThenable(result)) return settle(result)
      const timer = limit(attempt)
      const late = Promise.resolve(result).then(settle, fail)
      if (timer !== undefined) void late.finally(() => clearTimeout(timer))
    } catch (error) {
      fail(error)
    }
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

  /** At-most-once: the start is on record before the code runs. An unknown answer is read back; still unknown, the job is lost. */
  async #startOnce(attempt: Attempt): Promise<boolean> {
    const { db } = this.#ports
    const fences = [{ id: attempt.job.id, run: attempt.job.run }]
    try {
      return (await start(db, fences)).has(attempt.job.id)
    } catch (error) {
      if (!isConnectionTrouble(error)) throw error
    }
    for (let pause = 50; attempt.ledger.held; pause = Math.min(pause * 2, 1000)) {
      try {
        if ((await readStart(db, fences)).has(attempt.job.id)) return true
        return (await start(db, fences)).has(attempt.job.id)
      } catch (error) {
        if (!isConnectionTrouble(error)) throw error
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
    return false
  }
}

function completed(attempt: Attempt, result: unknown, log: ContextPorts['log']): Outcome {
  if (attempt.settled) return { kind: 'completed', result: null }
  if (result instanceof IterationEnded) return result.outcome
  const overdue = attempt.aborted === 'limit' || attempt.aborted === 'lease-lost'
  if (overdue) return attempt.outcomeOfStop() as Outcome
  return { kind: 'completed', result: resultText(attempt, result, log) }
}

function outcomeOfError(attempt: Attempt, thrown: unknown): Outcome {
  const error = attempt.unwrap(thrown)
  if (isFenced(error)) return { kind: 'interrupted', reason: 'lease-lost' }
  const outcome = outcomeOfThrow(error)
  // Code that asks for something keeps its word, even when it was being stopped.
  if (outcome.kind !== 'failed' || outcome.retry !== 'policy') return outcome
  return attempt.outcomeOfStop() ?? outcome
}

function isFenced(error: unknown): boolean {
  return error instanceof HoldfastError && (error.code === 'HF_FENCED' || error.code === 'HF_LEASE_LOST')
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
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
