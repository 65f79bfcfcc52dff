import { describeFailure } from '../model/failure.ts'
import { shouldRetry } from '../model/retry.ts'
import type { Verdict, VerdictKind } from '../model/verdict.ts'
import type { Attempt } from './attempt.ts'
import { condemnedOf } from './watched.ts'

/** What is said of a run whose process must go. Whether its error is worth a retry is decided here, where its class is known. */
export function verdictOn(attempt: Attempt, kind: VerdictKind, error: unknown): Verdict {
  const { retry } = attempt.task
  const failure = describeFailure(error)
  const final = retry === false || !shouldRetry({ ...retry, limit: 1 }, error, 1).retry
  return {
    kind,
    job: condemnedOf(attempt.job),
    message: failure.message.replace(/ \[HF_[A-Z_]+\]$/, ''),
    ...(kind === 'exception' && { failure }),
    final,
  }
}
