import type { When } from '../model/when.ts'
import { nameArray, plainArray, whenArrays } from './arrays.ts'
import type { Database, Queryable } from './db.ts'
import { type Fence, fenceArrays } from './fence.ts'

/** What a settle statement also closes: the claims of which nothing is held any more. */
export interface Closing {
  readonly worker: number
  readonly claims: readonly number[]
}

export interface Complete extends Fence {
  /** Where the claim put its row. */
  readonly tid: string
  /** JSON text. */
  readonly result: string | null
}

/**
 * Ends completed jobs that have no saved progress: the hot path of `finish`. Resolves with the ids that were not, for they were no longer where
 * the claim had put them; the claims are closed only when there are none.
 */
export async function complete(
  db: Database,
  jobs: readonly Complete[],
  keep: boolean,
  closing: Closing,
): Promise<ReadonlySet<string>> {
  const rows = await db.run<{ id: string }>('complete', [
    ...fenceArrays(jobs),
    nameArray(jobs.map((job) => job.tid)),
    textArray(jobs, (job) => job.result),
    keep,
    closing.worker,
    plainArray(closing.claims),
  ])
  return new Set(rows.map((row) => row.id))
}

export interface Finish extends Fence {
  /** A terminal state's number (see `codes.ts`). */
  readonly state: number
  /** JSON text. */
  readonly result: string | null
  /** JSON text. */
  readonly error: string | null
  /** Keep a row in the history. */
  readonly keep: boolean
  /** Its process died: that counts as a crash, and as no failure. */
  readonly crashed?: boolean | undefined
}

/** Ends jobs. Resolves with the ids that were; the others had been ended before, or have moved on. */
export async function finish(
  db: Database,
  jobs: readonly Finish[],
  closing: Closing,
  on: Queryable = db,
): Promise<Set<string>> {
  const rows = await db.run<{ id: string }>(
    'finish',
    [
      ...fenceArrays(jobs),
      plainArray(jobs.map((job) => job.state)),
      textArray(jobs, (job) => job.result),
      textArray(jobs, (job) => job.error),
      plainArray(jobs.map((job) => job.keep)),
      plainArray(jobs.map((job) => job.crashed === true)),
      closing.worker,
      plainArray(closing.claims),
    ],
    on,
  )
  return new Set(rows.map((row) => row.id))
}

/** Completes one job as the last write of a transaction. Throws `HF_FENCED`. */
export async function finishInTransaction(
  db: Database,
  on: Queryable,
  job: Fence,
  write: { result: string | null; keep: boolean; nonce: string },
): Promise<void> {
  await db.run('finish_tx', [job.id, job.run, write.result, write.keep, write.nonce], on)
}

export interface Delay extends Fence {
  /** A waiting state's number (see `codes.ts`). */
  readonly state: number
  readonly until: When
  readonly failed: boolean
  readonly reason: string | null
  /** JSON text. */
  readonly error: string | null
  /** Its process died of itself. */
  readonly crashed?: boolean | undefined
}

/** Puts running jobs away until a time. Resolves with the ids that were. */
export async function delay(
  db: Database,
  jobs: readonly Delay[],
  closing: Closing,
  on: Queryable = db,
): Promise<Set<string>> {
  const rows = await db.run<{ id: string }>(
    'delay',
    [
      ...fenceArrays(jobs),
      plainArray(jobs.map((job) => job.state)),
      ...whenArrays(jobs.map((job) => job.until)),
      plainArray(jobs.map((job) => (job.failed ? 1 : 0))),
      jobs.map((job) => job.reason),
      jobs.map((job) => job.error),
      crashArray(jobs),
      closing.worker,
      plainArray(closing.claims),
    ],
    on,
  )
  return new Set(rows.map((row) => row.id))
}

export interface HandBack extends Fence {
  readonly interrupted: boolean
  /** null: not worth a line in the job's story. */
  readonly reason: string | null
  /** Its process died of itself. */
  readonly crashed?: boolean | undefined
  /** JSON text: what the process died of. */
  readonly error?: string | null | undefined
}

/** What became of a job that goes back: how often it was stopped, and whether that got it anywhere. */
export interface GivenBackJob {
  readonly task: string
  readonly interruptions: number
  /** Interruptions since its cursor last moved on. */
  readonly fruitless: number
  /** It has a cursor to go on from. */
  readonly resumes: boolean
}

export interface GivenBack extends GivenBackJob {
  readonly id: string
  readonly queue: string
}

/** Gives running jobs back, claimable at once. Resolves with what was given back. */
export async function handBack(
  db: Database,
  jobs: readonly HandBack[],
  closing: Closing,
  on: Queryable = db,
): Promise<GivenBack[]> {
  return db.run(
    'hand_back',
    [
      ...fenceArrays(jobs),
      plainArray(jobs.map((job) => (job.interrupted ? 1 : 0))),
      jobs.map((job) => job.reason),
      crashArray(jobs),
      textArray(jobs, (job) => job.error ?? null),
      closing.worker,
      plainArray(closing.claims),
    ],
    on,
  )
}

/** Hardly any has crashed. */
function crashArray(jobs: readonly { readonly crashed?: boolean | undefined }[]): string {
  return plainArray(jobs.some((job) => job.crashed) ? jobs.map((job) => (job.crashed ? 1 : 0)) : [])
}

/** Shorter arrays are padded with nulls by `unnest`; an empty one costs nothing. */
function textArray<T>(jobs: readonly T[], column: (job: T) => string | null): (string | null)[] {
  return jobs.some((job) => column(job) !== null) ? jobs.map(column) : []
}
