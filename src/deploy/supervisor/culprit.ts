import { type StoppedPolicy, settleVerdict } from '../../engine/settle-verdict.ts'
import { decodeVerdict, type Verdict } from '../../model/verdict.ts'
import type { Database } from '../../store/db.ts'

/** A task that the dead process did not name: another release's, which must not lose its job to that. */
const UNKNOWN: StoppedPolicy = { delivery: 'at-least-once', retry: false }

/**
 * Settles the jobs that a dead process named as the reason of its end: each has failed, by its task's own policy. The jobs beside it have
 * not. Resolves with what it said.
 */
export async function settleCulprits(
  db: Database,
  worker: number,
  lines: readonly string[],
  tasks: Readonly<Record<string, StoppedPolicy>>,
): Promise<Verdict[]> {
  const verdicts = lines.map(decodeVerdict).filter((verdict) => verdict !== undefined)
  for (const verdict of verdicts) await settleVerdict(db, worker, verdict, tasks[verdict.job?.task ?? ''] ?? UNKNOWN)
  return verdicts
}
