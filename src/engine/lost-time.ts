import type { Attempt } from './attempt.ts'
import { monotonic } from './monotonic.ts'
import type { Blockage } from './watchdog.ts'

/**
 * Gives the runs of this process the time back for which another one blocked their event loop. Inside a system call nobody can be seen:
 * then each gets it back that was not alone, but never more than its limit, or whoever it was would have none.
 */
export function giveBackTime(attempts: ReadonlySet<Attempt>, { ms, job, stack }: Blockage): void {
  const here = [...attempts].filter((attempt) => attempt.task.isolate === undefined)
  const unseen = job === undefined && stack === undefined
  const now = monotonic()
  for (const attempt of attempts) {
    if (attempt.job.id === job?.id && attempt.job.run === job.run) continue
    if (unseen && here.length === 1 && here[0] === attempt) continue
    const most = unseen ? (attempt.task.timeLimit?.hard ?? 0) - attempt.lostTime : Number.POSITIVE_INFINITY
    attempt.lostTime += Math.max(0, Math.min(ms, now - attempt.startedAt, most))
    // Also of one in a process of its own: its signs of life were not heard.
    attempt.movedAt = Math.min(now, attempt.movedAt + ms)
  }
}
