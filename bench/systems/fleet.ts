import { setTimeout as sleep } from 'node:timers/promises'
import { holdfast, type PgClient } from '../../src/index.ts'
import { range } from '../../src/sources.ts'
import { now } from '../support/clock.ts'
import { anything } from './holdfast.ts'
import type { Payload } from './system.ts'

/** What the code of these jobs tells its process. */
export interface FleetEvents {
  onJob(payload: Payload): void
  onItem(item: ItemEvent): void
  /** Whether the item at hand should stay inside its open transaction. */
  goInside(): boolean
  /** It does, with its job's row locked: the moment between its last write and the commit. */
  onInside(): void
}

export interface ItemEvent {
  readonly job: string
  readonly run: number
  readonly index: number
  readonly at: number
  /** Of its run on this worker. */
  readonly first: boolean
}

const ENDLESS = 1_000_000_000
/** Items wait, as most work does. */
const ITEM_MS = 2
/** Longer than anything waits here. */
const STUCK_MS = 10 * 60_000

/** The client and the tasks of the cases in which workers come and go. */
export function fleet(url: string, events?: FleetEvents) {
  const jobs = holdfast({ database: url, queues: { bench: {}, heap: { concurrency: 2 }, walks: {} } })
  const runs = new Map<string, number>()
  const tell = (job: { id: string; run: number }, index: number): void => {
    const first = runs.get(job.id) !== job.run
    runs.set(job.id, job.run)
    events?.onItem({ job: job.id, run: job.run, index, at: now(), first })
  }

  const noop = jobs.task({ name: 'noop', queue: 'bench', input: anything, run: (payload) => events?.onJob(payload) })
  /** The million that waits: each worker serves two at a time, so the heap is in use and never empty. */
  const heap = jobs.task({ name: 'heap', queue: 'heap', input: anything, run: () => sleep(500) })
  /** Checkpoints by time. */
  const walk = jobs.iteration({
    name: 'walk',
    queue: 'walks',
    checkpoint: 'periodic',
    items: () => range(0, ENDLESS),
    each: async (index, { job }) => {
      tell(job, index)
      await sleep(ITEM_MS)
    },
  })
  /** Each item leaves a row, in the transaction of its checkpoint. */
  const write = jobs.iteration({
    name: 'write',
    queue: 'walks',
    items: () => range(0, ENDLESS),
    each: async (index, { job, tx }) => {
      tell(job, index)
      await record(tx, job.id, index)
      await sleep(ITEM_MS)
    },
  })
  /** The same, until it is told to go inside its transaction and not come out. */
  const stuck = jobs.iteration({
    name: 'stuck',
    queue: 'walks',
    items: () => range(0, ENDLESS),
    each: async (index, { job, tx, signal }) => {
      tell(job, index)
      await record(tx, job.id, index)
      await sleep(ITEM_MS)
      if (!events?.goInside()) return
      await tx.query('select from holdfast.job where id = $1 for share', [job.id])
      events.onInside()
      // Told that it lost its lease, it tries to commit all the same.
      await sleep(STUCK_MS, undefined, { signal }).catch(() => {})
    },
  })
  return { jobs, noop, heap, walk, write, stuck }
}

/** Rows without a unique key: an item done twice would show. */
export const WITNESS = 'create table witness (job uuid not null, item integer not null)'

function record(tx: PgClient, job: string, item: number): Promise<unknown> {
  return tx.query('insert into witness (job, item) values ($1, $2)', [job, item])
}
