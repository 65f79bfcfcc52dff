import type { Failure } from '../model/failure.ts'
import type { RetryPolicy } from '../model/retry.ts'
import { type Delivery, planSettle } from '../model/settle-plan.ts'
import { outcomeOfVerdict, type Verdict } from '../model/verdict.ts'
import { STATE_CODES } from '../store/codes.ts'
import type { Database } from '../store/db.ts'
import { delay, finish } from '../store/settles.ts'

/** The part of a task's policy that is plain data: whether its errors are worth a retry has been decided where its code is. */
export interface StoppedPolicy {
  readonly delivery: Delivery
  /** `false` also where the policy does not list what a stopped run fails with. */
  readonly retry: false | Omit<Exclude<RetryPolicy, false>, 'on'>
}

/** The process that runs its code is not gone yet when it settles by itself. */
const LEAST_DELAY_MS = 1_000

/**
 * Fails the job of a verdict, with the ordinary statements and their fence. For a process that has not run the job: the one that saw the
 * culprit die, or a thread beside it. Call it when the code has stopped for certain.
 * @returns false: the job has moved on, or nobody knows which one it was
 */
export async function settleVerdict(
  db: Database,
  worker: number,
  verdict: Verdict,
  policy: StoppedPolicy,
  soonest = 0,
): Promise<boolean> {
  const { job } = verdict
  if (job === undefined) return false
  const retry = policy.retry === false || verdict.final === true ? false : { ...policy.retry, on: undefined }
  const facts = { delivery: policy.delivery, started: true, failures: job.failures }
  const plan = planSettle(facts, outcomeOfVerdict(verdict), retry, Math.random)
  const open = { worker, claims: [] }
  const { id, run } = job
  if (plan.kind === 'retry') {
    const { when, failure } = plan
    const until = when.kind === 'delay' ? { kind: 'delay' as const, ms: Math.max(soonest, when.ms) } : when
    const state = STATE_CODES.retrying
    const write = { id, run, state, until, failed: true, reason: reasonOf(failure), error: JSON.stringify(failure) }
    return (await delay(db, [write], open)).has(id)
  }
  if (plan.kind !== 'fail') return false
  const error = JSON.stringify({ ...plan.failure, final: plan.why })
  return (await finish(db, [{ id, run, state: STATE_CODES.failed, result: null, error, keep: true }], open)).has(id)
}

/** From inside the process that is about to die. */
export function settleOwnVerdict(db: Database, worker: number, verdict: Verdict, policy: StoppedPolicy) {
  return settleVerdict(db, worker, verdict, policy, LEAST_DELAY_MS)
}

function reasonOf(failure: Failure): string {
  return failure.message.slice(0, 200)
}
