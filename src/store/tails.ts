import { plainArray } from './arrays.ts'
import type { Database, Queryable } from './db.ts'
import type { Fence } from './fence.ts'
import { date, json, type Row } from './report-rows.ts'

/** The last log lines of one run, as they are kept. */
export interface TailWrite extends Fence {
  /** Lines that the run has logged in all: the larger number is the later write. */
  readonly said: number
  /** JSON text of `TailLine[]`. */
  readonly lines: string
}

/** ms since the run started, level, text. */
export type TailLine = readonly [after: number, level: 'info' | 'warn' | 'error', text: string]

/** Keeps the last lines of runs. Resolves with the ids for which that was done: a missing one has moved on, or is just being settled. */
export async function saveTails(db: Database, tails: readonly TailWrite[]): Promise<Set<string>> {
  const rows = await db.run<{ id: string }>('save_tails', [
    plainArray(tails.map((tail) => tail.id)),
    plainArray(tails.map((tail) => tail.run)),
    plainArray(tails.map((tail) => tail.said)),
    tails.map((tail) => tail.lines),
  ])
  return new Set(rows.map((row) => row.id))
}

/** The last log lines of one run, for people. */
export interface LogTail {
  readonly run: number
  readonly savedAt: Date
  /** Lines that the run logged in all: of them, `lines` are the last. */
  readonly said: number
  readonly lines: readonly { readonly at: Date; readonly level: TailLine[1]; readonly text: string }[]
}

/** Of the newest runs of a job, the oldest first. */
export async function showTails(db: Database, id: string, most: number, on: Queryable = db): Promise<LogTail[]> {
  const rows = await db.run<Row>('show_tails', [id, most], on)
  return rows.map(logTail).reverse()
}

/** The moments are the database's: it noted when the run started. */
function logTail(row: Row): LogTail {
  const started = (date(row['started_at']) as Date).getTime()
  const lines = json(row['lines']) as TailLine[]
  return {
    run: Number(row['run']),
    savedAt: date(row['saved_at']) as Date,
    said: Number(row['said']),
    lines: lines.map(([after, level, text]) => ({ at: new Date(started + after), level, text })),
  }
}
