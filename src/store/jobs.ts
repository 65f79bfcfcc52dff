import type { When } from '../model/when.ts'
import { nameArray, plainArray } from './arrays.ts'
import type { Database, Queryable } from './db.ts'

/** A job as enqueued: everything but the position, which the database draws. */
export interface NewJob {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly version: number
  readonly priority: number
  /** JSON text; null: no input. */
  readonly input: string | null
  /** When it is not run any more; null: never. */
  readonly expires: When | null
  /** When it becomes ready; null: at once. */
  readonly after: When | null
}

/** Inserts jobs, all or none. With `wake`, listening workers are told in the same statement. */
export async function enqueue(
  db: Database,
  jobs: readonly NewJob[],
  wake: string | null,
  on: Queryable = db,
): Promise<void> {
  const ready = jobs.filter((job) => job.after === null)
  const later = jobs.filter((job) => job.after !== null)
  if (ready.length > 0) {
    await db.run('enqueue', [...columns(ready), wake === null ? null : db.channel, wake], on)
  }
  if (later.length > 0) {
    await db.run('enqueue_later', [...columns(later), ...whenArrays(later.map((job) => job.after))], on)
  }
}

function columns(jobs: readonly NewJob[]): unknown[] {
  return [
    plainArray(jobs.map((job) => job.id)),
    nameArray(jobs.map((job) => job.queue)),
    nameArray(jobs.map((job) => job.task)),
    plainArray(jobs.map((job) => job.version)),
    plainArray(jobs.map((job) => job.priority)),
    jobs.map((job) => job.input),
    ...whenArrays(jobs.map((job) => job.expires)),
  ]
}

function whenArrays(values: readonly (When | null)[]): [string, string] {
  return [
    plainArray(values.map((when) => (when?.kind === 'delay' ? when.ms : null))),
    plainArray(values.map((when) => (when?.kind === 'at' ? when.iso : null))),
  ]
}

export async function wake(db: Database, queue: string): Promise<void> {
  await db.run('wake', [db.channel, queue])
}

/** A job that a worker holds, and the run that is its fence. */
export interface Claimed {
  readonly id: string
  readonly run: number
  readonly task: string
  readonly version: number
  readonly input: string | null
  readonly failures: number
  readonly interruptions: number
  readonly crashes: number
  readonly losses: number
  readonly lane: number
  readonly priority: number
  readonly position: number
  readonly expired: boolean
  readonly queue: string
  readonly claim: number
}

/** One (lane, priority) of a queue, and how far it has been claimed. */
export interface Band {
  readonly lane: number
  readonly priority: number
  readonly mark: number
  readonly most: number
}

export interface ClaimRequest {
  readonly worker: number
  readonly claim: number
  readonly queue: string
  /** The names that this worker knows, as a PostgreSQL array literal. */
  readonly tasks: string
  readonly most: number
  readonly bands: readonly Band[]
}

interface ClaimRow extends Omit<Claimed, 'position' | 'queue' | 'claim' | 'expired'> {
  position: string
  expired: boolean | null
}

export async function claim(db: Database, request: ClaimRequest): Promise<Claimed[]> {
  const { worker, claim: number, queue, tasks, most, bands } = request
  const rows = await db.run<ClaimRow>('claim', [
    worker,
    number,
    queue,
    tasks,
    most,
    plainArray(bands.map((band) => band.lane)),
    plainArray(bands.map((band) => band.priority)),
    plainArray(bands.map((band) => band.mark)),
    plainArray(bands.map((band) => band.most)),
  ])
  return rows.map((row) => held(row, queue, number))
}

/** Jobs that the ledger says this worker holds, under claims that it does not know. */
export async function readClaims(db: Database, worker: number, known: readonly number[]): Promise<Claimed[]> {
  const rows = await db.run<ClaimRow & { claim: string; queue: string }>('read_claim', [worker, plainArray(known)])
  return rows.map((row) => held(row, row.queue, Number(row.claim)))
}

function held(row: ClaimRow, queue: string, claim: number): Claimed {
  return Object.assign(row, { position: Number(row.position), expired: row.expired === true, queue, claim })
}

export async function closeClaims(db: Database, worker: number, claims: readonly number[]): Promise<void> {
  await db.run('close_claims', [worker, plainArray(claims)])
}

export interface Fence {
  readonly id: string
  readonly run: number
}

/** Records that at-most-once code is about to run. Resolves with the ids that may start. */
export async function start(db: Database, fences: readonly Fence[]): Promise<Set<string>> {
  const rows = await db.run<{ id: string }>('start', fenceArrays(fences))
  return new Set(rows.map((row) => row.id))
}

/** Reads back a start whose answer was lost: the ids whose start stands. */
export async function readStart(db: Database, fences: readonly Fence[]): Promise<Set<string>> {
  const rows = await db.run<{ id: string; started: boolean }>('read_start', fenceArrays(fences))
  return new Set(rows.filter((row) => row.started).map((row) => row.id))
}

/** What a settle statement also closes: the claims of which nothing is held any more. */
export interface Closing {
  readonly worker: number
  readonly claims: readonly number[]
}

export interface Complete extends Fence {
  /** JSON text. */
  readonly result: string | null
}

/** Ends completed jobs that have no saved progress: the hot path of `finish`. */
export async function complete(
  db: Database,
  jobs: readonly Complete[],
  keep: boolean,
  closing: Closing,
): Promise<Set<string>> {
  const results = textArray(jobs, (job) => job.result)
  const rows = await db.run<{ id: string }>('complete', [
    ...fenceArrays(jobs),
    results,
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

function fenceArrays(fences: readonly Fence[]): [string, string] {
  return [plainArray(fences.map((fence) => fence.id)), plainArray(fences.map((fence) => fence.run))]
}

/** Hardly any has crashed. */
function crashArray(jobs: readonly { readonly crashed?: boolean | undefined }[]): string {
  return plainArray(jobs.some((job) => job.crashed) ? jobs.map((job) => (job.crashed ? 1 : 0)) : [])
}

/** Shorter arrays are padded with nulls by `unnest`; an empty one costs nothing. */
function textArray<T>(jobs: readonly T[], column: (job: T) => string | null): (string | null)[] {
  return jobs.some((job) => column(job) !== null) ? jobs.map(column) : []
}
