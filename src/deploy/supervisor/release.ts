import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../store/db.ts'
import { wake } from '../../store/enqueue.ts'
import { type Released as ReleasedJob, releaseWorker, revokeWorker, type WorkerEnd } from '../../store/workers.ts'

export interface Released {
  readonly jobs: number
  /** Jobs that could not be freed: a transaction of the dead process still holds them. The sweep of a worker will. */
  readonly left: number
}

const PAUSE_MS = 10
const PAUSE_MOST_MS = 100

/**
 * Gives the jobs of a dead process back, at once: no lease has to run out. The server needs a moment to see that the connection of
 * the dead is gone, and until then a transaction may hide a job: those are asked for again, for `patience` ms.
 */
export async function releaseDead(
  db: Database,
  key: number,
  how: WorkerEnd,
  patience: number,
  onFreed: (job: ReleasedJob) => void = () => {},
): Promise<Released> {
  const until = performance.now() + patience
  await revokeWorker(db, key, true)
  let jobs = 0
  for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MOST_MS)) {
    const { freed, left } = await releaseWorker(db, key, how)
    jobs += freed.length
    for (const job of freed) onFreed(job)
    // A hint, without which they are found by polling: no reason to leave the rest of them.
    for (const queue of new Set(freed.map((job) => job.queue)))
      if (queue !== null) await wake(db, queue).catch(() => {})
    if (left === 0 || performance.now() + pause > until) return { jobs, left }
    await sleep(pause)
  }
}
