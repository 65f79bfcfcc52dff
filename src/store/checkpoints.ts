import type { Database, Queryable } from './db.ts'
import type { Fence } from './fence.ts'

/** Saved progress of an iteration. */
export interface Checkpoint {
  /** Items done. */
  readonly items: number
  /** Items in all, if known. */
  readonly total: number | undefined
  /** undefined: from the start. */
  readonly cursor: unknown
  /** Items a second when it was saved, if known. */
  readonly rate: number | undefined
  /** Whether the worker of the run before vanished, so that what it did after its last checkpoint is done again. */
  readonly afterLoss: boolean
  /** Interruptions since the cursor last moved on. */
  readonly fruitless: number
  /** There is a cursor to go on from. */
  readonly resumes: boolean
  /** Set when the iteration was fanned out. */
  readonly part: { readonly root: string; readonly index: number; readonly of: number } | undefined
}

/** What people asked of the job meanwhile. */
export interface Asked {
  readonly action: 'cancel' | 'pause'
  readonly reason: string
  readonly until: Date | undefined
}

interface AskedRow {
  action: 'cancel' | 'pause' | null
  reason: string
  until: Date | null
}

/** Undefined: the run does not hold the job any more. */
export async function loadCheckpoint(db: Database, fence: Fence): Promise<Checkpoint | undefined> {
  const [row] = await db.run<{
    items: string | null
    total: string | null
    cursor: string | null
    rate: number | null
    before: string | null
    fruitless: number
    resumes: boolean
    root: string | null
    part: number
    parts: number
  }>('load_checkpoint', [fence.id, fence.run])
  if (row === undefined) return undefined
  return {
    items: Number(row.items ?? 0),
    total: row.total === null ? undefined : Number(row.total),
    cursor: row.cursor === null ? undefined : JSON.parse(row.cursor),
    rate: row.rate ?? undefined,
    afterLoss: row.before === 'lost' || row.before === 'crashed',
    fruitless: row.fruitless,
    resumes: row.resumes,
    part: row.root === null ? undefined : { root: row.root, index: row.part, of: row.parts },
  }
}

/** The job, its input and its cursor are of this version from now on. False: the run does not hold the job any more. */
export async function adopt(
  db: Database,
  fence: Fence,
  to: { readonly version: number; readonly input: string | null; readonly cursor: string | null },
): Promise<boolean> {
  return (await db.run('adopt', [fence.id, fence.run, to.version, to.input, to.cursor])).length > 0
}

export interface Progress {
  readonly items: number
  readonly total: number | undefined
  /** JSON text. */
  readonly cursor: string
  /** Items a second in this run, if known. */
  readonly rate: number | undefined
}

/** Saves progress. `'refused'`: the job has moved on, or the cursor would have gone backwards. */
export async function saveCheckpoint(
  db: Database,
  fence: Fence,
  progress: Progress,
  on: Queryable = db,
): Promise<Asked | undefined | 'refused'> {
  const values = [fence.id, fence.run, progress.items, progress.total ?? null, progress.cursor, progress.rate ?? null]
  const rows = await db.run<AskedRow>('save_checkpoint', values, on)
  return rows[0] === undefined ? 'refused' : asked(rows[0])
}

/** Saves progress as the last write of a transaction. Throws `HF_FENCED`. */
export async function saveCheckpointInTransaction(
  db: Database,
  on: Queryable,
  fence: Fence,
  progress: Progress,
  nonce: string,
): Promise<Asked | undefined> {
  const rows = await db.run<AskedRow>(
    'save_checkpoint_tx',
    [fence.id, fence.run, progress.items, progress.total ?? null, progress.cursor, progress.rate ?? null, nonce],
    on,
  )
  return rows[0] === undefined ? undefined : asked(rows[0])
}

function asked(row: AskedRow): Asked | undefined {
  return row.action === null ? undefined : { action: row.action, reason: row.reason, until: row.until ?? undefined }
}
