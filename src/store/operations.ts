import type { Database, Queryable } from './db.ts'

export interface By {
  readonly reason: string
  readonly owner: string
}

export type Was = 'ready' | 'waiting' | 'running'

/** A job that moves between the tables in the very instant is in none of them for one statement. */
const LOOKS = 5

/** Ends a job that waits; asks a running one to stop. Undefined: it has ended, or nobody knows it. */
export async function cancel(db: Database, id: string, by: By, on: Queryable = db): Promise<Was | undefined> {
  return forAllParts(db, id, on, async (part) => {
    const [row] = await db.run<{ was: Was }>('cancel', [`{${part}}`, by.reason, by.owner], on)
    return row?.was
  })
}

export interface UnseenCancel extends By {
  readonly id: string
}

/** Jobs that were asked to stop, and whose run came to another end before it saw that. */
export async function unseenCancels(db: Database): Promise<UnseenCancel[]> {
  return db.run('unseen_cancels', [])
}

/** Pauses a job for `ms`; a running one is asked to rest at its next checkpoint. */
export async function pauseJob(db: Database, id: string, by: By, ms: number): Promise<Was | undefined> {
  return forAllParts(db, id, db, async (part) => {
    const [row] = await db.run<{ was: Was }>('pause_job', [part, by.reason, by.owner, ms])
    return row?.was
  })
}

/** Undefined: it is not paused. `queue` is null when its run had not seen the pause yet. */
export async function resumeJob(db: Database, id: string): Promise<{ queue: string | null } | undefined> {
  let resumed: { queue: string | null } | undefined
  for (const part of await withParts(db, id, db)) {
    const [row] = await db.run<{ queue: string | null }>('resume_job', [part])
    resumed ??= row
  }
  return resumed
}

/** Runs an ended or resting job again. `newId` is used for a job that may not start twice. Undefined: there is nothing to retry. */
export async function retryJob(
  db: Database,
  id: string,
  newId: string,
): Promise<{ id: string; queue: string } | undefined> {
  const [row] = await db.run<{ id: string; queue: string }>('retry_job', [id, newId])
  return row
}

/** What is done to the job that was enqueued is done to all the parts that it was fanned out into. The answer is the first part's that has one. */
async function forAllParts<T>(
  db: Database,
  id: string,
  on: Queryable,
  change: (part: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  let answer: T | undefined
  for (const part of await withParts(db, id, on)) {
    const changed = await lookAgain(() => change(part))
    answer ??= changed
  }
  return answer
}

async function withParts(db: Database, id: string, on: Queryable): Promise<string[]> {
  const parts = await db.run<{ job: string }>('list_parts', [id], on)
  return [...new Set([id, ...parts.map(({ job }) => job)])]
}

async function lookAgain<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let turn = 1; turn < LOOKS; turn++) {
    const found = await look()
    if (found !== undefined) return found
  }
  return look()
}
