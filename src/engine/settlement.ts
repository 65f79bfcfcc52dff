import { MAX_DURATION_MS } from '../model/duration.ts'
import type { Failure } from '../model/failure.ts'
import type { SettlePlan } from '../model/settle-plan.ts'
import type { When } from '../model/when.ts'
import { STATE_CODES } from '../store/codes.ts'
import type { Attempt } from './attempt.ts'
import type { Settlement } from './settle.ts'

/** From the plan to what is written: the fence, the numbers of the states, texts. */
export function settlementOf(attempt: Attempt, plan: SettlePlan, keepCompleted: boolean): Settlement {
  const { id, run, tid } = attempt.job
  const finish = (
    state: number,
    error: object | null,
    result: string | null = null,
    keep = true,
    crashed = false,
  ): Settlement => ({
    kind: 'finish',
    write: { id, run, state, result, error: error === null ? null : JSON.stringify(error), keep, crashed },
  })
  const put = (
    state: number,
    until: When,
    reason: string | null,
    failure: Failure | null = null,
    crashed = false,
  ): Settlement => ({
    kind: 'delay',
    write: {
      id,
      run,
      state,
      until,
      reason,
      failed: failure !== null && !crashed,
      crashed,
      error: failure === null ? null : JSON.stringify(failure),
    },
  })
  const back = (interrupted: boolean, reason: string | null, killed: Failure | null = null): Settlement => ({
    kind: 'hand-back',
    write: { id, run, interrupted, reason, error: killed === null ? null : JSON.stringify(killed) },
  })
  const crash = (failure: Failure): Settlement => ({
    kind: 'hand-back',
    write: {
      id,
      run,
      interrupted: false,
      crashed: true,
      reason: failure.message.slice(0, 200),
      error: JSON.stringify(failure),
    },
  })

  switch (plan.kind) {
    case 'complete':
      // A start on record has moved its row.
      if (attempt.hasTraces || attempt.mayHaveStarted)
        return finish(STATE_CODES.completed, null, plan.result, keepCompleted)
      return { kind: 'complete', write: { id, run, tid, result: plan.result } }
    case 'fail':
      return finish(
        STATE_CODES.failed,
        { ...located(plan.failure, attempt), final: plan.why },
        null,
        true,
        plan.crashed === true,
      )
    case 'retry':
      return put(STATE_CODES.retrying, plan.when, plan.failure.message.slice(0, 200), located(plan.failure, attempt))
    case 'snooze':
      return put(STATE_CODES.snoozed, plan.when, plan.reason?.slice(0, 200) ?? null)
    case 'pause': {
      const asked = attempt.asked
      // A pause always ends: without a moment of its own it is over at once.
      const until: When = asked?.until ? { kind: 'at', iso: asked.until.toISOString() } : { kind: 'delay', ms: 0 }
      return put(STATE_CODES.paused, until, asked?.reason ?? null)
    }
    case 'park':
      // By itself it would kill the next process, too: only a person brings it back.
      return put(STATE_CODES.parked, { kind: 'delay', ms: MAX_DURATION_MS }, plan.reason, plan.failure, true)
    case 'crash':
      return crash(plan.failure)
    case 'yield':
      return back(false, null)
    case 'hand-back':
      return back(plan.interrupted, plan.reason, 'killed' in plan ? plan.killed : null)
    case 'cancel':
      return finish(STATE_CODES.cancelled, { name: 'Cancelled', message: attempt.asked?.reason ?? 'cancelled' })
    case 'expire':
      return finish(STATE_CODES.expired, null)
    case 'interrupt':
      return finish(
        STATE_CODES.interrupted,
        'killed' in plan ? plan.killed : { name: 'Interrupted', message: plan.reason },
      )
    case 'lose':
      return finish(STATE_CODES.lost, null)
    case 'nothing':
      return { kind: 'close', sure: attempt.settled }
  }
}

function located(failure: Failure, attempt: Attempt): Failure & { where?: string } {
  return attempt.where === undefined ? failure : { ...failure, where: attempt.where }
}
