import type { Database, Queryable } from '../store/db.ts'
import { wake } from '../store/enqueue.ts'
import { cancel } from '../store/operations.ts'
import { isId } from './ids.ts'
import { REQUESTS } from './wake.ts'

/** Ends a job that waits, asks one that runs to stop. 0: it had ended, or nobody knows it. */
export async function cancelJob(db: Database, id: string, on: Queryable = db): Promise<number> {
  if (!isId(id)) return 0
  const was = await cancel(db, id, { reason: 'cancelled by the application', owner: 'application' }, on)
  if (was === 'running') await wake(db, REQUESTS).catch(() => {})
  return was === undefined ? 0 : 1
}
