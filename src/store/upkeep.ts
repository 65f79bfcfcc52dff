import { nameArray, plainArray } from './arrays.ts'
import type { Database } from './db.ts'

/** How many jobs of a queue became ready. */
export interface Readied {
  readonly queue: string
  readonly jobs: number
}

/** Looks at every waiting job that is due. */
export const FROM_THE_BEGINNING = '-infinity'

/** Makes due jobs ready, at most `most`, of those due at `from` or later. */
export async function promote(db: Database, most: number, from: string): Promise<Readied[]> {
  return db.run('promote', [most, from])
}

export interface NextDue {
  /** ms until the next waiting job is due, by the database's clock; undefined when none waits. */
  readonly ms: number | undefined
  /** Where the next promote may start to look. */
  readonly from: string
}

export async function nextDue(db: Database, from: string): Promise<NextDue> {
  const [row] = await db.run<{ ms: number | null; from: string }>('next_due', [from])
  return { ms: row?.ms ?? undefined, from: row?.from ?? FROM_THE_BEGINNING }
}

/** How far one band of a queue has been claimed. */
export interface Mark {
  readonly queue: string
  readonly lane: number
  readonly priority: number
  readonly position: number
}

export async function publishMarks(
  db: Database,
  accepts: string,
  tasks: readonly string[],
  marks: readonly Mark[],
): Promise<void> {
  await db.run('publish_marks', [
    accepts,
    nameArray(tasks),
    nameArray(marks.map((mark) => mark.queue)),
    plainArray(marks.map((mark) => mark.lane)),
    plainArray(marks.map((mark) => mark.priority)),
    plainArray(marks.map((mark) => mark.position)),
  ])
}

export async function loadMarks(db: Database, accepts: string, queues: readonly string[]): Promise<Mark[]> {
  const rows = await db.run<Omit<Mark, 'position'> & { position: string }>('load_marks', [accepts, nameArray(queues)])
  return rows.map((row) => ({ ...row, position: Number(row.position) }))
}

export interface Floor {
  /** Up to it, everything has been committed or rolled back. */
  readonly position: number
  /** The same before and after a claim: it was allowed, and has looked. */
  readonly permit: string
}

/** Undefined: the worker may not claim. */
export async function readFloor(db: Database, worker: number): Promise<Floor | undefined> {
  const [row] = await db.run<{ floor: string; permit: string }>('read_floor', [worker])
  return row && { position: Number(row.floor), permit: row.permit }
}

/**
 * Where a sweep for stragglers begins now. Undefined: another worker did one just now.
 * `reset`: at the very beginning, because claims may have been rolled back.
 */
export async function raiseFloor(
  db: Database,
  options: { reset: boolean; every: number },
): Promise<number | undefined> {
  const [row] = await db.run<{ floor: string }>('raise_floor', [options.reset, options.every])
  return row && Number(row.floor)
}

/** Looks for ready jobs between the floor and the published marks and lifts them to the front lane, up to `most`. */
export async function liftStragglers(db: Database, floor: number, most: number): Promise<Readied[]> {
  return db.run('lift_stragglers', [floor, most])
}
