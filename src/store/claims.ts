import { nameArray, plainArray } from './arrays.ts'
import type { Database } from './db.ts'
import { type Fence, fenceArrays } from './fence.ts'

/** A job that a worker holds, and the run that is its fence. */
export interface Claimed {
  readonly id: string
  readonly run: number
  /** Where its row lay after the claim: quicker than its id, and only a hint. */
  readonly tid: string
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

/** What differs from job to job, and what else is not `NOTHING_MORE` (see claim.sql). */
interface ClaimRow extends Pick<Claimed, 'id' | 'run' | 'tid' | 'task' | 'input'> {
  readonly position: string
  readonly more: More | null
}

type More = Omit<Claimed, keyof ClaimRow | 'queue' | 'claim'>

const NOTHING_MORE: More = {
  lane: 1,
  priority: 5,
  version: 1,
  failures: 0,
  interruptions: 0,
  crashes: 0,
  losses: 0,
  expired: false,
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

/** A job that a worker holds, whether its run has been started or not. */
export type Held = Pick<Claimed, 'id' | 'run' | 'task' | 'failures' | 'crashes'>

export async function heldBy(db: Database, worker: number): Promise<Held[]> {
  return db.run<Held>('held_jobs', [worker])
}

function held({ id, run, tid, task, input, position, more }: ClaimRow, queue: string, claim: number): Claimed {
  return { id, run, tid, task, input, position: Number(position), queue, claim, ...(more ?? NOTHING_MORE) }
}

export async function closeClaims(db: Database, worker: number, claims: readonly number[]): Promise<void> {
  await db.run('close_claims', [worker, plainArray(claims)])
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

/** Those of the queues in which a job that this worker hands off now would wait for a slot elsewhere. */
export async function crowdedQueues(db: Database, worker: number, queues: readonly string[]): Promise<string[]> {
  const rows = await db.run<{ queue: string }>('crowded_queues', [nameArray(queues), worker])
  return rows.map(({ queue }) => queue)
}
