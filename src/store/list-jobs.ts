import { type Lack, lackOf } from '../model/unserved.ts'
import { plainArray } from './arrays.ts'
import { STATE_CODES, type StateName } from './codes.ts'
import type { Database, Queryable } from './db.ts'
import { reading, wasTooSlow } from './reading.ts'
import { date, type ListedJob, listedJob, type Row } from './report-rows.ts'
import { listWorkers } from './reports.ts'

export interface JobFilter {
  /** undefined: all. */
  readonly states?: readonly StateName[] | undefined
  readonly task?: string | undefined
  readonly queue?: string | undefined
  /** Only jobs older than this id: where the page before ended. */
  readonly before?: string | undefined
  readonly limit: number
}

export interface JobPage {
  readonly jobs: readonly ListedJob[]
  /** By id, of ready jobs that no live worker takes: what they wait for. */
  readonly lacks: ReadonlyMap<string, Lack>
  /** Give it as `before` for the next page. Undefined: there are no more. */
  readonly next: string | undefined
  /** False: looking further back would have taken too long; what is older than `next` was not looked at. */
  readonly complete: boolean
  /** The database's time when this was read. */
  readonly now: Date
}

const STATEMENT_MS = 10_000
/** Looking through the history for rare jobs ends after this long, wherever it has come to. */
const HISTORY_MS = 5_000
const FIRST_SPAN_MS = 1_000
const GROWTH = 4
const WHOLE_SPAN_MS = 400 * 86_400_000
const FIRST_ID = '00000000-0000-0000-0000-000000000000'
const ENDED = 20

/**
 * A page of jobs, newest first: by id, which grows with the time of the enqueue.
 * @param patience ms for each statement
 * @throws {HoldfastError} HF_REPORT_SLOW when nothing can be said in that time
 */
export async function listJobs(db: Database, filter: JobFilter, patience = STATEMENT_MS): Promise<JobPage> {
  return reading(db, patience, async (on) => {
    const codes = filter.states?.map((state) => STATE_CODES[state])
    const live = codes === undefined || codes.some((code) => code < ENDED) ? await listLive(db, on, filter, codes) : []
    const now = await timeOn(on)
    const wantsEnded = codes === undefined || codes.some((code) => code >= ENDED)
    const ended = wantsEnded ? await listEnded(db, on, filter, codes, now.getTime()) : { jobs: [], downTo: FIRST_ID }
    const found = page([...live, ...ended.jobs], ended.downTo, filter.limit)
    return { ...found, lacks: await lacksOf(db, on, found.jobs), now }
  })
}

async function lacksOf(db: Database, on: Queryable, jobs: readonly ListedJob[]): Promise<ReadonlyMap<string, Lack>> {
  const ready = jobs.filter((job) => job.state === 'ready')
  if (ready.length === 0) return new Map()
  const workers = await listWorkers(db, on)
  const lacks = ready.map((job) => [job.id, lackOf(job, workers)] as const)
  return new Map(lacks.filter((each): each is readonly [string, Lack] => each[1] !== undefined))
}

/** Below `downTo` the history was not looked at, so what is older belongs to the next page, even if it is known. */
function page(found: readonly ListedJob[], downTo: string, limit: number): Omit<JobPage, 'now' | 'lacks'> {
  const sure = found.filter((job) => job.id >= downTo).sort((a, b) => (a.id < b.id ? 1 : -1))
  const jobs = sure.slice(0, limit)
  const complete = downTo === FIRST_ID || sure.length >= limit
  if (!complete) return { jobs, next: downTo, complete }
  // One more than a page was asked for, so a page that is only full may be the last.
  return { jobs, next: sure.length > limit ? jobs.at(-1)?.id : undefined, complete }
}

async function listLive(
  db: Database,
  on: Queryable,
  filter: JobFilter,
  codes?: readonly number[],
): Promise<ListedJob[]> {
  const { before = null, task = null, queue = null, limit } = filter
  const rows = await db.run<Row>('list_live', [before, codes ? plainArray(codes) : null, task, queue, limit + 1], on)
  return rows.map(listedJob)
}

/**
 * The history has no b-tree on the id, only a BRIN: a span of ids is found quickly, an order is not. So spans are read, each four times
 * longer than the one before, until a page is full.
 */
async function listEnded(
  db: Database,
  on: Queryable,
  filter: JobFilter,
  codes: readonly number[] | undefined,
  now: number,
): Promise<{ jobs: ListedJob[]; downTo: string }> {
  const { task = null, queue = null, limit } = filter
  const begun = performance.now()
  const jobs: ListedJob[] = []
  let before = filter.before ?? null
  let top = before === null ? now : timeOf(before)
  for (let span = FIRST_SPAN_MS; ; span *= GROWTH) {
    const from = span > WHOLE_SPAN_MS || top <= span ? FIRST_ID : idAt(top - span)
    const most = limit + 1 - jobs.length
    const values = [from, before, codes ? plainArray(codes) : null, task, queue, most]
    await on.query('savepoint span')
    try {
      jobs.push(...(await db.run<Row>('list_ended', values, on)).map(listedJob))
    } catch (error) {
      if (!wasTooSlow(error) || before === null || before === filter.before) throw error
      // What was found before stands.
      await on.query('rollback to savepoint span')
      return { jobs, downTo: before }
    }
    const slow = performance.now() - begun > HISTORY_MS
    if (from === FIRST_ID || jobs.length > limit || slow) return { jobs, downTo: jobs.length > limit ? FIRST_ID : from }
    before = from
    top -= span
  }
}

async function timeOn(on: Queryable): Promise<Date> {
  const { rows } = await on.query('select clock_timestamp() as now')
  return date((rows[0] as { now: unknown }).now) as Date
}

/** The milliseconds that a UUIDv7 begins with. Of another kind of id a place in the same order, which is all that is needed. */
function timeOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
}

/** The least UUIDv7 of a moment. */
function idAt(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
