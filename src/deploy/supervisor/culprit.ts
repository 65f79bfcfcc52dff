import { type StoppedPolicy, settleVerdict } from '../../engine/settle-verdict.ts'
import { decodeVerdict, type Verdict } from '../../model/verdict.ts'
import type { Database } from '../../store/db.ts'

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
  for (const verdict of verdicts) {
    const policy = tasks[verdict.job?.task ?? '']
    // Of no task that it knew: not believed. The job is given back with the others.
    if (policy !== undefined) await settleVerdict(db, worker, verdict, policy)
  }
  return verdicts
}
