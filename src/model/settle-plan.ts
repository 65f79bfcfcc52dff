import { describeDeath, factsOfDeath, wasKilledFromOutside } from './death.ts'
import { HoldfastError } from './errors.ts'
import { describeFailure, type Failure } from './failure.ts'
import { Interrupted } from './interrupted.ts'
import type { InterruptReason, Outcome } from './outcome.ts'
import { type RetryPolicy, retryDelay, shouldRetry } from './retry.ts'
import type { State } from './states.ts'
import type { When } from './when.ts'

export type Delivery = 'at-least-once' | 'at-most-once'

/** What the decision needs to know about the job. */
export interface JobFacts {
  readonly delivery: Delivery
  /** Whether the start of an at-most-once job may have been recorded: from then on it is never given back. */
  readonly started: boolean
  /** Failures before this run. */
  readonly failures: number
}

/** Why a failure is final. */
export type FinalReason = 'discarded' | 'no-retries' | 'limit' | 'not-listed' | 'predicate-failed' | 'at-most-once'

/** What to do with a job whose run has ended: one operation of the store. */
export type SettlePlan =
  | { readonly kind: 'complete'; readonly result: string | null }
  /** `report`: an error of the retry policy's own, to be logged beside the failure. `crashed`: its process died, which counts as no failure. */
  | {
      readonly kind: 'fail'
      readonly failure: Failure
      readonly why: FinalReason
      readonly report?: unknown
      readonly crashed?: true
    }
  | { readonly kind: 'retry'; readonly failure: Failure; readonly when: When }
  | { readonly kind: 'snooze'; readonly when: When; readonly reason?: string | undefined }
  /** Back to the front lane, claimable at once. Counts as nothing. */
  | { readonly kind: 'yield' }
  /** Back to the front lane, claimable at once. `interrupted`: counts as an interruption, which uses up no retry. */
  | { readonly kind: 'hand-back'; readonly reason: InterruptReason | 'lost'; readonly interrupted: boolean }
  /** The same, of a run whose process somebody killed. */
  | { readonly kind: 'hand-back'; readonly reason: string; readonly interrupted: true; readonly killed: Failure }
  /** Back to the front lane, claimable at once. Counts as a crash, which uses up no retry. */
  | { readonly kind: 'crash'; readonly failure: Failure }
  | { readonly kind: 'pause' }
  /** `failure`: what its process died of, counted as a crash. */
  | { readonly kind: 'park'; readonly reason: string; readonly failure: Failure }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'expire' }
  | { readonly kind: 'interrupt'; readonly reason: InterruptReason }
  | { readonly kind: 'interrupt'; readonly reason: string; readonly killed: Failure }
  | { readonly kind: 'lose' }
  /** The job belongs to another worker: there is nothing to write, and it would be refused. */
  | { readonly kind: 'nothing' }

/**
 * From how a run ended to what is written. Pure: chance comes in as `random`, and time stays with the database.
 * An at-most-once job that may have started ends here, whatever happened (invariant 3); any other loses nothing by an
 * interruption (invariant 5).
 */
export function planSettle(job: JobFacts, outcome: Outcome, policy: RetryPolicy, random: () => number): SettlePlan {
  const once = job.delivery === 'at-most-once' && job.started
  switch (outcome.kind) {
    case 'completed':
      return { kind: 'complete', result: outcome.result }
    case 'failed':
      return planFailure(job, outcome, policy, random)
    case 'snoozed':
      return once ? endOnce('threw Snooze') : { kind: 'snooze', when: outcome.until, reason: outcome.reason }
    case 'yielded':
      return once ? endOnce('left its slot') : { kind: 'yield' }
    case 'interrupted':
      return planInterruption(job, outcome.reason, policy, random)
    case 'crashed':
      return planCrash(job, outcome)
    case 'lost':
      return job.delivery === 'at-most-once'
        ? { kind: 'lose' }
        : { kind: 'hand-back', reason: 'lost', interrupted: false }
    case 'cancelled':
      return { kind: 'cancel' }
    case 'expired':
      return { kind: 'expire' }
  }
}

function planFailure(
  job: JobFacts,
  outcome: Outcome & { kind: 'failed' },
  policy: RetryPolicy,
  random: () => number,
): SettlePlan {
  const failure = describeFailure(outcome.error)
  if (outcome.retry === 'never') return { kind: 'fail', failure, why: 'discarded' }
  if (job.delivery === 'at-most-once') return { kind: 'fail', failure, why: 'at-most-once' }
  if (policy === false) return { kind: 'fail', failure, why: 'no-retries' }

  const failures = job.failures + 1
  // Code that asks for a moment has decided that it is worth a retry: `on` is not asked, the limit still holds.
  const asked = outcome.retry === 'policy' ? undefined : outcome.retry
  const decision = shouldRetry(asked === undefined ? policy : { ...policy, on: undefined }, outcome.error, failures)
  if (decision.retry) {
    return { kind: 'retry', failure, when: asked ?? { kind: 'delay', ms: retryDelay(policy, failures, random) } }
  }
  if (decision.why === 'predicate-failed') return { kind: 'fail', failure, why: decision.why, report: decision.error }
  return { kind: 'fail', failure, why: decision.why }
}

/**
 * A kill from outside says nothing of the code: it is an interruption, as the kill of a whole worker process is. Of other deaths, the first are
 * suspicion only: somebody beside it may have been the cause, or the machine. One in a process that it had to itself is proof: it would
 * kill the next process, too.
 */
function planCrash(job: JobFacts, { death, alone }: Outcome & { kind: 'crashed' }): SettlePlan {
  const what = describeDeath(death)
  const once = job.delivery === 'at-most-once'
  if (wasKilledFromOutside(death)) {
    const told = {
      reason: `its process died: ${what}`,
      killed: { name: 'Killed', message: what, ...factsOfDeath(death) },
    }
    return once ? { kind: 'interrupt', ...told } : { kind: 'hand-back', interrupted: true, ...told }
  }
  const error = new HoldfastError('HF_CRASHED', `The process of the run died: ${what}`)
  // Of our own frames, none had a part in it.
  const { stack: _, ...described } = describeFailure(error)
  const failure = { ...described, ...factsOfDeath(death) }
  if (once) return { kind: 'fail', failure, why: 'at-most-once', crashed: true }
  if (!alone) return { kind: 'crash', failure }
  return { kind: 'park', reason: `it kills the process it runs in, also when it runs alone: ${what}`, failure }
}

function planInterruption(
  job: JobFacts,
  reason: InterruptReason,
  policy: RetryPolicy,
  random: () => number,
): SettlePlan {
  switch (reason) {
    case 'lease-lost':
      return { kind: 'nothing' }
    case 'cancel':
      return { kind: 'cancel' }
    case 'limit':
    case 'stall':
    case 'fault':
      return planFailure(job, { kind: 'failed', error: failureOf(reason), retry: 'policy' }, policy, random)
    default:
      if (job.delivery === 'at-most-once' && job.started) return { kind: 'interrupt', reason }
      return reason === 'pause' ? { kind: 'pause' } : { kind: 'hand-back', reason, interrupted: true }
  }
}

function failureOf(reason: 'limit' | 'stall' | 'fault'): Error {
  if (reason === 'limit') return new HoldfastError('HF_TIME_LIMIT', 'The run took longer than its time limit')
  if (reason === 'stall') return new HoldfastError('HF_STALLED', 'The run made no progress for too long')
  return new Interrupted('fault')
}

/** The user's code asked for what an at-most-once task cannot have. */
function endOnce(what: string): SettlePlan {
  const text = `An at-most-once task ${what}: it cannot come back, since nothing may start it twice`
  return { kind: 'fail', failure: describeFailure(new HoldfastError('HF_CONFIG', text)), why: 'at-most-once' }
}

const STATE_AFTER = {
  complete: 'completed',
  fail: 'failed',
  retry: 'retrying',
  snooze: 'snoozed',
  yield: 'ready',
  'hand-back': 'ready',
  crash: 'ready',
  pause: 'paused',
  park: 'parked',
  cancel: 'cancelled',
  expire: 'expired',
  interrupt: 'interrupted',
  lose: 'lost',
  nothing: undefined,
} as const satisfies Record<SettlePlan['kind'], State | undefined>

/** The state that a plan leads to; `undefined` if it writes nothing. */
export function stateAfter(plan: SettlePlan): State | undefined {
  return STATE_AFTER[plan.kind]
}
