import type { Outcome } from '../model/outcome.ts'
import { planSettle, type SettlePlan } from '../model/settle-plan.ts'
import type { Attempt } from './attempt.ts'

/** What is to be written of a run that ended so. */
export function planOf({ job, task, settled, mayHaveStarted }: Attempt, outcome: Outcome): SettlePlan {
  if (settled) return { kind: 'nothing' }
  const facts = { delivery: task.delivery, started: mayHaveStarted, failures: job.failures }
  return planSettle(facts, outcome, task.retry, Math.random)
}
