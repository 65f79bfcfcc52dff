import type { Lack, Unserved } from '../model/unserved.ts'
import type { Database } from './db.ts'
import { reading } from './reading.ts'

/** Found at the front of the queues, by the worker whose turn it is to look. */
export interface Waiting extends Unserved {
  /** ms since one of them was enqueued, or last claimed. */
  readonly ms: number
  /** There may be more jobs than were counted. */
  readonly more: boolean
}

interface UnservedRow {
  queue: string
  task: string
  version: number
  jobs: number
  served: boolean
  known: boolean
}

const PEOPLE_MS = 10_000
const PEOPLE_MOST = 1_000_000
/** What a worker may burden the database with, each time. */
const LOOK_MS = 2_000
const LOOK_MOST = 1_000

/** Of a million ready jobs, for people. */
export async function unservedJobs(db: Database): Promise<Unserved[]> {
  const rows = await reading(db, PEOPLE_MS, (on) => db.run<UnservedRow>('count_unserved', [PEOPLE_MOST], on))
  return rows.map(unserved)
}

/** Undefined: another worker, an older one, looks for all. */
export async function findUnserved(db: Database, worker: number): Promise<Waiting[] | undefined> {
  const [row] = await reading(db, LOOK_MS, (on) => db.run<{ found: string }>('find_unserved', [worker, LOOK_MOST], on))
  if (row === undefined) return undefined
  const found = JSON.parse(row.found) as (UnservedRow & { ms: number })[]
  return found.map((each) => ({ ...unserved(each), ms: each.ms, more: each.jobs >= LOOK_MOST }))
}

function unserved({ queue, task, version, jobs, served, known }: UnservedRow): Unserved {
  const lack: Lack = known ? 'version' : served ? 'task' : 'queue'
  return { queue, task, version: Number(version), jobs: Number(jobs), lack }
}
