import { HoldfastError } from '../../model/errors.ts'
import { type RetryPolicy, shouldRetry } from '../../model/retry.ts'
import type { TaskDefinition } from '../../tasks/definition.ts'
import type { TaskRules } from './messages.ts'

/** The policies of the tasks as data that another process can apply. Their code, which only this one has, is asked beforehand. */
export function rulesOf(tasks: ReadonlyMap<string, TaskDefinition>): Readonly<Record<string, TaskRules>> {
  return Object.fromEntries(
    [...tasks].map(([name, { delivery, retry }]) => [name, { delivery, retry: afterLimit(retry) }]),
  )
}

function afterLimit(policy: RetryPolicy): RetryPolicy {
  if (policy === false) return false
  const error = new HoldfastError('HF_TIME_LIMIT', 'The run took longer than its time limit')
  return shouldRetry(policy, error, 1).retry ? { ...policy, on: undefined } : false
}
