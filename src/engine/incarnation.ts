import { closeClaims, handBack, readClaims } from '../store/jobs.ts'
import { placeOf } from '../store/place.ts'
import { registerWorker } from '../store/workers.ts'
import { taskKeys } from '../tasks/versions.ts'
import type { Lease, LeaseKeeper } from './lease.ts'
import { Ledger } from './ledger.ts'
import { monotonic } from './monotonic.ts'
import type { WorkerOptions } from './worker-options.ts'

/** One life of a worker in the database, from its registration to the loss of its lease. Never reused. */
export interface Incarnation {
  readonly ledger: Ledger
  readonly lease: Lease
}

export interface IncarnationEvents {
  /** After each renewal; false: this worker must not claim now. */
  readonly onRenewed: (mayClaim: boolean) => void
  /** Once: everything this incarnation holds is, or may be, somebody else's. */
  readonly onLost: (worker: number, why: string) => void
}

/** After a process stood still: for what broke meanwhile to be noticed by its code. */
const STILL_MS = 2_000

export async function register(
  options: WorkerOptions,
  keeper: LeaseKeeper,
  events: IncarnationEvents,
): Promise<Incarnation> {
  const { db, listenUrl, name, build, release, manifest, tasks, queues, lease: ms } = options
  const direct =
    listenUrl === undefined || listenUrl === db.url ? undefined : { url: listenUrl, place: await placeOf(db) }
  await keeper.ready()
  const sent = monotonic()
  const row = { name, build, release, manifest, tasks: taskKeys(tasks), queues: [...queues.keys()], lease: ms }
  const key = await registerWorker(db, row)
  const lease = keeper.hold({ url: db.url, direct, schema: db.schema, worker: key, lease: ms }, sent, {
    onRenewed: events.onRenewed,
    onLost: (why) => events.onLost(key, why),
  })
  return {
    lease,
    ledger: new Ledger(
      key,
      () => lease.held,
      () => keeper.stillness.within(STILL_MS),
    ),
  }
}

/**
 * Compares the ledger in the database with the one in memory. Jobs of a claim whose answer was lost would otherwise be renewed for ever,
 * and never run: they are given back. Resolves with their queues.
 */
export async function reconcile({ db }: Pick<WorkerOptions, 'db'>, ledger: Ledger): Promise<ReadonlySet<string>> {
  const { last } = ledger
  const found = await readClaims(db, ledger.worker, ledger.known())
  // A claim that began since may have been answered before this question was.
  const strangers = found.filter((job) => job.claim <= last)
  if (strangers.length > 0) {
    const writes = strangers.map(({ id, run }) => ({ id, run, interrupted: false, reason: null }))
    await handBack(db, writes, { worker: ledger.worker, claims: [] })
    await closeClaims(db, ledger.worker, [...new Set(strangers.map((job) => job.claim))])
  }
  return new Set(strangers.map((job) => job.queue))
}
