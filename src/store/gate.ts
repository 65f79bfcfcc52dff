import type { Database } from './db.ts'
import { type DeployRequirement, type DeployScope, type LiveState, scopeOf } from './deploys.ts'

/** Why a worker does not claim. */
export interface Hold {
  readonly deploy: number
  readonly require: DeployRequirement
  readonly state: LiveState
  readonly owner: string
  readonly reason: string
  /** A migration had begun, and the time of the deploy is over. */
  readonly overdue: boolean
}

/** Whether a worker is held, or was and has not heard of its release. */
export async function mayBeHeld(db: Database, worker: number): Promise<boolean> {
  const [row] = await db.run<{ held: boolean }>('read_hold', [worker])
  return row?.held ?? false
}

/** A worker looks whether it is held, and acts on it. Undefined: it may claim. */
export async function settleHold(db: Database, worker: number): Promise<Hold | undefined> {
  return db.transaction(async (client) => {
    await db.run('share_gate', [], client)
    const [row] = await db.run<Hold | { deploy: null }>('settle_hold', [worker], client)
    return row === undefined || row.deploy === null ? undefined : row
  }, "set local lock_timeout = '10s'")
}

/** A live worker that a deploy holds. */
export interface HeldWorker {
  readonly key: number
  readonly name: string
  readonly app: string
  readonly build: string
  readonly queues: readonly string[]
  /** It has answered. */
  readonly heard: boolean
  /** ms from the beginning of the deploy to its answer. */
  readonly heard_ms: number | null
  /** ms since its last sign of life. */
  readonly silent_ms: number | null
}

/** Those that a deploy holds; of a scope, those that a deploy of this build would hold. */
export async function heldWorkers(
  db: Database,
  of: { readonly deploy: number } | (DeployScope & { readonly build: string | undefined }),
): Promise<HeldWorker[]> {
  const values = 'deploy' in of ? [of.deploy, null, null, null, null] : [null, ...scopeOf(of), of.build ?? null]
  return db.run('list_held', values)
}

/** Workers that a deploy held and that stopped answering since. */
export async function vanishedWorkers(db: Database, deploy: number): Promise<{ key: number; name: string }[]> {
  return db.run('list_vanished', [deploy])
}

/** What these workers said of their code, as it was registered: plain JSON of whatever release they are. */
export async function manifestsOf(db: Database, workers: readonly number[]): Promise<ReadonlyMap<number, unknown>> {
  if (workers.length === 0) return new Map()
  const rows = await db.run<{ key: number; manifest: string }>('show_manifests', [workers])
  return new Map(rows.map(({ key, manifest }) => [key, JSON.parse(manifest) as unknown]))
}

export interface RunningJob {
  readonly worker: number
  readonly id: string
  readonly run: number
  readonly task: string
  readonly queue: string
  /** ms since it was claimed. */
  readonly age_ms: number
}

export async function runningJobs(db: Database, workers: readonly number[]): Promise<RunningJob[]> {
  return workers.length === 0 ? [] : db.run('running_jobs', [workers])
}

export interface UsualDuration {
  readonly p50_ms: number
  readonly p95_ms: number
}

const DAYS = 7
const MOST_RUNS = 2_000
/** The history has no index by task: a task that hardly ever ran is not worth a long look. */
const PATIENCE = "set local statement_timeout = '2s'"

/** How long runs of a task usually take; undefined: nobody knows, or it would take too long to find out. */
export async function usualDuration(db: Database, task: string): Promise<UsualDuration | undefined> {
  const read = async () =>
    db.transaction((on) => db.run<UsualDuration>('list_durations', [task, DAYS, MOST_RUNS], on), PATIENCE)
  return (await read().catch(() => []))[0]
}

export interface LivingBuild {
  readonly build: string
  readonly workers: number
  /** Jobs that they run now. */
  readonly running: number
  /** The name of the worker that has lived longest. */
  readonly oldest: string
}

export async function livingBuilds(db: Database, scope?: DeployScope): Promise<LivingBuild[]> {
  return db.run('list_builds', scopeOf(scope))
}
