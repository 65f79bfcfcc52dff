import { plainArray } from './arrays.ts'
import type { Database, Queryable } from './db.ts'
import type { Fence } from './fence.ts'

/** Fans an iteration out: `others` are the ids of the jobs for parts 1, 2, … False: the run does not hold the job any more. */
export async function fanOut(db: Database, fence: Fence, others: readonly string[]): Promise<boolean> {
  const rows = await db.run('fan_out', [fence.id, fence.run, others.length + 1, plainArray(others)])
  return rows.length > 0
}

/** Locks the parts until the transaction ends; tells what the other parts have done. */
export async function lockParts(
  db: Database,
  on: Queryable,
  root: string,
  job: string,
): Promise<{ unfinished: number; items: number }> {
  const rows = await db.run<{ job: string; finished: boolean; items: number }>('lock_parts', [root], on)
  const others = rows.filter((row) => row.job !== job)
  return {
    unfinished: others.filter((row) => !row.finished).length,
    items: others.reduce((sum, row) => sum + row.items, 0),
  }
}

export async function finishPart(db: Database, on: Queryable, root: string, job: string, items: number): Promise<void> {
  await db.run('finish_part', [root, job, items], on)
}

export async function forgetParts(db: Database, on: Queryable, root: string): Promise<void> {
  await db.run('forget_parts', [root], on)
}
