import type { Database } from '../store/db.ts'
import { wake } from '../store/enqueue.ts'
import { expiredWorkers, releaseWorker, revokeWorker } from '../store/workers.ts'

export interface ReleaseEvents {
  readonly onReady?: (queue: string) => void
  readonly onRevoked?: (worker: string, jobs: number) => void
}

const ROUNDS = 5

/** Gives the jobs of workers back whose lease has run out. Resolves with how many of those there were. */
export async function releaseExpired(db: Database, events: ReleaseEvents = {}): Promise<number> {
  let revoked = 0
  for (const { worker, name } of await expiredWorkers(db)) {
    if (!(await revokeWorker(db, worker, false))) continue
    revoked++
    await empty(db, worker, name, events)
  }
  return revoked
}

/** It is revoked, which waited for its claims in flight; now frees until its ledger is empty. What is locked now is freed the next time. */
async function empty(db: Database, worker: number, name: string, { onReady, onRevoked }: ReleaseEvents): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const { freed, left } = await releaseWorker(db, worker, { outcome: 'lost', reason: `worker ${name} vanished` })
    for (const { queue } of freed) if (queue !== null) onReady?.(queue)
    if (freed.length > 0) onRevoked?.(name, freed.length)
    if (left === 0 || freed.length === 0) return
  }
}

/**
 * The same for a command that only looks: where it fails, somebody else will do it, and what the command is about goes on. Resolves with
 * whether there was any.
 */
export async function tryRelease(db: Database): Promise<boolean> {
  const freed = new Set<string>()
  try {
    return (await releaseExpired(db, { onReady: (queue) => freed.add(queue) })) > 0
  } catch {
    return false
  } finally {
    await Promise.allSettled([...freed].map((queue) => wake(db, queue)))
  }
}
