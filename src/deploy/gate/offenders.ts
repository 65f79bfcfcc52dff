import type { Database } from '../../store/db.ts'
import { usualDurations } from '../../store/gate.ts'
import { type Offender, offenderOf } from './offender.ts'
import type { SeenJob } from './view.ts'

const MOST = 100

/** The jobs in the way, with what is known of their tasks. */
export async function offendersOf(db: Database, jobs: readonly SeenJob[]): Promise<Offender[]> {
  const tasks = [...new Set(jobs.map(({ task }) => task))]
  const usual = new Map((await usualDurations(db, tasks)).map((each) => [each.task, each]))
  return jobs.slice(0, MOST).map((job) => offenderOf(job, usual.get(job.task)))
}
