import { type Lack, lackOf } from '../model/unserved.ts'
import { nameArray } from './arrays.ts'
import { type StateName, stateName } from './codes.ts'
import type { Database, Queryable } from './db.ts'
import { reading } from './reading.ts'
import {
  date,
  json,
  type ListedJob,
  listedJob,
  number,
  type Progress,
  progress,
  type Row,
  text,
} from './report-rows.ts'
import { type LogTail, showTails } from './tails.ts'

/** What `holdfast jobs show` knows: the row, wherever it is, and everything that hangs on it. */
export interface JobDetails extends ListedJob {
  /** What it waits for that no live worker has. */
  readonly lack: Lack | undefined
  readonly expiresAt: Date | undefined
  /** It had started, and may never start again: a retry makes a new job of it. */
  readonly atMostOnce: boolean
  /** JSON text, as it was stored; undefined: none. */
  readonly input: string | undefined
  readonly result: string | undefined
  /** What was thrown, described. */
  readonly error: unknown
  readonly cursor: unknown
  readonly savedAt: Date | undefined
  readonly workerKey: number | undefined
  readonly build: string | undefined
  /** What people asked of it that its run has not answered yet. */
  readonly asked:
    | {
        readonly action: 'cancel' | 'pause'
        readonly reason: string
        readonly owner: string
        readonly until: Date | undefined
      }
    | undefined
  /** Runs that did not complete it, the oldest first. */
  readonly trail: readonly TrailEntry[]
  /** The last log lines of its newest runs, the oldest first. */
  readonly tails: readonly LogTail[]
  /** Interruptions since its cursor last moved on. */
  readonly fruitless: number
  /** It has a cursor to go on from. */
  readonly resumes: boolean
  /** Set when it is a part of an iteration that was fanned out. */
  readonly part: { readonly root: string; readonly index: number; readonly of: number } | undefined
  readonly parts: readonly Part[]
  /** The database's time when this was read. */
  readonly now: Date
}

export interface TrailEntry {
  readonly run: number
  /** 'failed', 'interrupted', 'crashed', 'yielded', 'snoozed', 'paused', 'parked', 'lost', 'cancelled', 'expired' */
  readonly outcome: string
  readonly reason: string | undefined
  /** What was thrown, or what its process died of. */
  readonly error: unknown
  /** How far the job was then, if it had said so. */
  readonly items: number | undefined
  readonly startedAt: Date | undefined
  readonly endedAt: Date
  /** The worker's name, or its number when its name was forgotten. */
  readonly worker: string | undefined
  readonly build: string | undefined
}

export interface Part {
  readonly part: number
  readonly job: string
  /** undefined: it has ended. */
  readonly state: StateName | undefined
  readonly finished: boolean
  readonly progress: Progress
}

const STATEMENT_MS = 10_000
const TRAIL_MOST = 200
const TAILS_MOST = 20

/** Undefined: there is no such job, or no longer. */
export async function showJob(db: Database, id: string): Promise<JobDetails | undefined> {
  return reading(db, STATEMENT_MS, async (on) => {
    const [row] = await db.run<Row>('show_job', [id], on)
    if (row === undefined) return undefined
    const trail = await db.run<Row>('show_trail', [id, TRAIL_MOST], on)
    const parts = row['root'] === null ? [] : await db.run<Row>('show_parts', [id], on)
    const tails = await showTails(db, id, TAILS_MOST, on)
    const job = listedJob(row)
    const lack = job.state === 'ready' ? lackOf(job, await listWorkers(db, on)) : undefined
    return details(row, trail.map(trailEntry).reverse(), tails, parts.map(part), lack)
  })
}

function details(
  row: Row,
  trail: readonly TrailEntry[],
  tails: readonly LogTail[],
  parts: readonly Part[],
  lack: Lack | undefined,
): JobDetails {
  const { action, root } = row as { action: 'cancel' | 'pause' | null; root: string | null }
  return {
    ...listedJob(row),
    lack,
    expiresAt: date(row['expires_at']),
    atMostOnce: row['at_most_once'] === true,
    input: text(row['input']),
    result: text(row['result']),
    error: json(row['error']),
    cursor: json(row['cursor']),
    savedAt: date(row['saved_at']),
    worker: workerName(row),
    workerKey: number(row['worker_key']),
    build: text(row['build']),
    asked:
      action === null
        ? undefined
        : { action, reason: String(row['asked_because']), owner: String(row['asked_by']), until: date(row['until']) },
    trail,
    tails,
    fruitless: Number(row['fruitless']),
    resumes: row['resumes'] === true,
    part: root === null ? undefined : { root, index: Number(row['part']), of: Number(row['parts']) },
    parts,
    now: date(row['now']) as Date,
  }
}

function trailEntry(row: Row): TrailEntry {
  return {
    run: Number(row['run']),
    outcome: String(row['outcome']),
    reason: text(row['reason']),
    error: json(row['error']),
    items: number(row['items']),
    startedAt: date(row['started_at']),
    endedAt: date(row['ended_at']) as Date,
    worker: workerName(row),
    build: text(row['build']),
  }
}

function part(row: Row): Part {
  return {
    part: Number(row['part']),
    job: String(row['job']),
    state: row['state'] === null ? undefined : stateName(Number(row['state'])),
    finished: row['finished'] === true,
    progress: progress(row) as Progress,
  }
}

function workerName(row: Row): string | undefined {
  const key = number(row['worker_key'])
  return text(row['worker']) ?? (key === undefined ? undefined : `worker ${key}`)
}

export interface QueueReport {
  readonly queue: string
  readonly ready: Bounded
  readonly running: number
  /** By state; the sum of all queues is bounded together. */
  readonly waiting: Readonly<Partial<Record<StateName, number>>>
  /** ms since the ready jobs that are first in line were enqueued or last claimed; undefined: none is ready. */
  readonly oldestMs: number | undefined
  /** Live workers that serve it. */
  readonly workers: number
}

/** A count that stops at a bound: `more` says that there are more. */
export interface Bounded {
  readonly count: number
  readonly more: boolean
}

const READY_MOST = 10_000
export const WAITING_MOST = 1_000_000

/** Every queue that holds jobs, and those of `declared`. */
export async function queueReport(
  db: Database,
  declared: readonly string[],
): Promise<{ queues: QueueReport[]; waitingComplete: boolean }> {
  return reading(db, STATEMENT_MS, async (on) => {
    const waiting = await db.run<{ queue: string; state: number; jobs: number }>('count_waiting', [WAITING_MOST], on)
    const running = await db.run<{ queue: string; running: number }>('count_running', [], on)
    const workers = (await listWorkers(db, on)).filter((worker) => worker.live)
    const names = [...new Set([...declared, ...waiting.map((row) => row.queue)])]
    const ready = await db.run<Row>('count_ready', [nameArray(names), READY_MOST + 1], on)
    const queues = ready.map((row) => {
      const queue = String(row['queue'])
      const count = Number(row['ready'])
      const mine = waiting.filter((each) => each.queue === queue)
      return {
        queue,
        ready: { count: Math.min(count, READY_MOST), more: count > READY_MOST },
        running: running.find((each) => each.queue === queue)?.running ?? 0,
        waiting: Object.fromEntries(mine.map((each) => [stateName(each.state), each.jobs])),
        oldestMs: number(row['oldest_ms']),
        workers: workers.filter((worker) => worker.queues.includes(queue)).length,
      }
    })
    return { queues, waitingComplete: waiting.reduce((sum, row) => sum + row.jobs, 0) < WAITING_MOST }
  })
}

export interface WorkerReport {
  readonly key: number
  readonly name: string
  readonly build: string
  readonly release: string
  readonly tasks: readonly string[]
  readonly queues: readonly string[]
  readonly startedAt: Date
  /** It may claim, and its lease has not run out. */
  readonly live: boolean
  /** It may take jobs; false: it is held. */
  readonly claiming: boolean
  /** ms until its lease runs out; negative: since it has. */
  readonly leaseMs: number
  /** ms since it was renewed. */
  readonly renewedMs: number
  /** The database's time when this was read. */
  readonly now: Date
}

/** Workers that live, or that died and still hold something. */
export async function listWorkers(db: Database, on: Queryable = db): Promise<WorkerReport[]> {
  const rows = await db.run<Row>('list_workers', [], on)
  return rows.map((row) => ({
    key: Number(row['key']),
    name: String(row['name']),
    build: String(row['build']),
    release: String(row['release']),
    tasks: row['tasks'] as string[],
    queues: row['queues'] as string[],
    startedAt: date(row['started_at']) as Date,
    live: row['alive'] === true && Number(row['left_ms']) > 0,
    claiming: row['claiming'] === true,
    leaseMs: Number(row['left_ms']),
    renewedMs: Number(row['renewed_ms']),
    now: date(row['now']) as Date,
  }))
}

/** Live workers that say the same of their code, and serve the same queues. */
export interface ManifestGroup {
  readonly build: string
  readonly queues: readonly string[]
  /** As it was registered, by whatever release: plain JSON. */
  readonly manifest: unknown
  /** The names of its workers, the oldest first. */
  readonly workers: readonly string[]
}

export async function liveManifests(db: Database, on: Queryable = db): Promise<ManifestGroup[]> {
  const rows = await db.run<Row>('list_manifests', [], on)
  return rows.map((row) => ({
    build: String(row['build']),
    queues: row['queues'] as string[],
    manifest: json(row['manifest']),
    workers: row['names'] as string[],
  }))
}
