import { nameArray } from './arrays.ts'
import type { Database } from './db.ts'
import type { GivenBackJob } from './settles.ts'

export interface WorkerRow {
  readonly name: string
  readonly build: string
  readonly release: string
  readonly tasks: readonly string[]
  readonly queues: readonly string[]
  /** ms */
  readonly lease: number
  /** What it says of its code: plain JSON. */
  readonly manifest: object
  /** Jobs that it runs at the same time. Default 1. */
  readonly concurrency?: number
  /** Which app it runs, where several share a database. */
  readonly app?: string | undefined
  /** The deploy whose new code it says it is. */
  readonly token?: string | undefined
}

/** A new incarnation with its lease; held from the start where a deploy holds its kind. Resolves with its key. */
export async function registerWorker(db: Database, worker: WorkerRow): Promise<number> {
  const { name, build, release, tasks, queues, lease, manifest, app = '', token, concurrency = 1 } = worker
  const row = [
    ...[name, build, release, nameArray(tasks), nameArray(queues), lease],
    ...[JSON.stringify(manifest), app, token ?? null, concurrency],
  ]
  return db.transaction(async (client) => {
    await db.run('share_gate', [], client)
    const [{ key }] = (await db.run<{ key: number }>('register_worker', row, client)) as [{ key: number }]
    await db.run('settle_hold', [key], client)
    return key
  })
}

/** Lets the lease run out soon: the last word of a worker that exits with work it could not stop. */
export async function expireLease(db: Database, worker: number, ms: number): Promise<void> {
  await db.run('expire_lease', [worker, ms])
}

export async function expiredWorkers(db: Database): Promise<{ worker: number; name: string }[]> {
  return db.run('expired_workers', [])
}

/** Takes a worker's rights away; waits for its claims in flight. False: its lease was renewed meanwhile. `leaves`: it does so itself. */
export async function revokeWorker(db: Database, worker: number, force: boolean, leaves = false): Promise<boolean> {
  return (await db.run('revoke_worker', [worker, force, leaves])).length > 0
}

/** How a worker ended, as far as anybody knows. */
export interface WorkerEnd {
  /**
   * `'lost'`: nobody saw it. `'crashed'`: somebody saw its process die of itself: all its jobs are suspected. `'interrupted'`: it was told to
   * go, and was killed with what it had not let go of.
   */
  readonly outcome: 'lost' | 'crashed' | 'interrupted'
  readonly reason: string
  /** The cause of death: plain JSON. */
  readonly error?: object | undefined
}

/** A job of a worker that is gone. */
export interface Released extends GivenBackJob {
  readonly id: string
  /** null: it has ended, for it may start only once. */
  readonly queue: string | null
}

/** One round of giving a revoked worker's jobs back: what was freed, and whether the ledger still holds something. */
export async function releaseWorker(
  db: Database,
  worker: number,
  { outcome, reason, error }: WorkerEnd,
): Promise<{ freed: Released[]; left: number }> {
  const cause = error === undefined ? null : JSON.stringify(error)
  const freed = await db.run<Released>('release', [worker, reason, outcome, cause])
  return { freed, left: await forgetReleased(db, worker) }
}

/**
 * A worker leaves. Its rights go first and in a statement of their own: that waits for a claim whose client gave up on it, and only a
 * later statement sees what such a claim took. False: it held something after all, which the next sweep gives back.
 */
export async function retireWorker(db: Database, worker: number): Promise<boolean> {
  await revokeWorker(db, worker, true, true)
  return (await forgetReleased(db, worker)) === 0
}

async function forgetReleased(db: Database, worker: number): Promise<number> {
  const [row] = await db.run<{ left: number }>('forget_released', [worker])
  return row?.left ?? 0
}

export interface JobRequest {
  readonly id: string
  readonly run: number
  readonly action: 'cancel' | 'pause'
  readonly reason: string
  readonly until: Date | null
}

/** What people asked of jobs that this worker runs now. */
export async function requestsFor(db: Database, worker: number): Promise<JobRequest[]> {
  return db.run('requests_for', [worker])
}
