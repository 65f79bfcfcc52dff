import type { When } from '../model/when.ts'
import { nameArray, plainArray, whenArrays } from './arrays.ts'
import type { Database, Queryable } from './db.ts'

/** A job as enqueued: everything but the position, which the database draws. */
export interface NewJob {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly version: number
  readonly priority: number
  /** JSON text; null: no input. */
  readonly input: string | null
  /** When it is not run any more; null: never. */
  readonly expires: When | null
  /** When it becomes ready; null: at once. */
  readonly after: When | null
}

/** Inserts jobs, all or none. With `wake`, listening workers are told in the same statement. */
export async function enqueue(
  db: Database,
  jobs: readonly NewJob[],
  wake: string | null,
  on: Queryable = db,
): Promise<void> {
  const ready = jobs.filter((job) => job.after === null)
  const later = jobs.filter((job) => job.after !== null)
  if (ready.length > 0) {
    await db.run('enqueue', [...columns(ready), wake === null ? null : db.channel, wake], on)
  }
  if (later.length > 0) {
    await db.run('enqueue_later', [...columns(later), ...whenArrays(later.map((job) => job.after))], on)
  }
}

function columns(jobs: readonly NewJob[]): unknown[] {
  return [
    plainArray(jobs.map((job) => job.id)),
    nameArray(jobs.map((job) => job.queue)),
    nameArray(jobs.map((job) => job.task)),
    plainArray(jobs.map((job) => job.version)),
    plainArray(jobs.map((job) => job.priority)),
    jobs.map((job) => job.input),
    ...whenArrays(jobs.map((job) => job.expires)),
  ]
}

export async function wake(db: Database, queue: string): Promise<void> {
  await db.run('wake', [db.channel, queue])
}
