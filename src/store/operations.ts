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
  return lookAgain(async () => {
    const [row] = await db.run<{ was: Was }>('cancel', [`{${id}}`, by.reason, by.owner], on)
    return row?.was
  })
}

/** Pauses a job for `ms`; a running one is asked to rest at its next checkpoint. */
export async function pauseJob(db: Database, id: string, by: By, ms: number): Promise<Was | undefined> {
  return lookAgain(async () => {
    const [row] = await db.run<{ was: Was }>('pause_job', [id, by.reason, by.owner, ms])
    return row?.was
  })
}

/** Undefined: it is not paused. `queue` is null when its run had not seen the pause yet. */
export async function resumeJob(db: Database, id: string): Promise<{ queue: string | null } | undefined> {
  const [row] = await db.run<{ queue: string | null }>('resume_job', [id])
  return row
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

async function lookAgain<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let turn = 1; turn < LOOKS; turn++) {
    const found = await look()
    if (found !== undefined) return found
  }
  return look()
}
