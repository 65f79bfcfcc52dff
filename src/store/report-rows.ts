import { type StateName, stateName } from './codes.ts'

/** A job in a list. Times are the database's. */
export interface ListedJob {
  readonly id: string
  readonly state: StateName
  readonly queue: string
  readonly task: string
  /** Of its input. */
  readonly version: number
  readonly priority: number
  readonly run: number
  readonly failures: number
  readonly interruptions: number
  readonly losses: number
  readonly crashes: number
  readonly createdAt: Date
  readonly startedAt: Date | undefined
  readonly dueAt: Date | undefined
  readonly endedAt: Date | undefined
  /** Why it waits, or the message of its error. */
  readonly reason: string | undefined
  /** The name of the worker that runs it or ended it. */
  readonly worker: string | undefined
  readonly progress: Progress | undefined
}

export interface Progress {
  readonly items: number
  readonly total: number | undefined
  /** Items a second in the last stretch, if known. */
  readonly rate: number | undefined
}

export type Row = Readonly<Record<string, unknown>>

/** An application may have told the driver to read types otherwise (bigints as numbers, dates as text): every column is taken as it comes. */
export function listedJob(row: Row): ListedJob {
  return {
    id: String(row['id']),
    state: stateName(Number(row['state'])),
    queue: String(row['queue']),
    task: String(row['task']),
    version: Number(row['version']),
    priority: Number(row['priority']),
    run: Number(row['run']),
    failures: Number(row['failures']),
    interruptions: Number(row['interruptions']),
    losses: Number(row['losses']),
    crashes: Number(row['crashes']),
    createdAt: date(row['created_at']) as Date,
    startedAt: date(row['started_at']),
    dueAt: date(row['due_at']),
    endedAt: date(row['ended_at']),
    reason: text(row['reason']),
    worker: text(row['worker']),
    progress: progress(row),
  }
}

export function progress(row: Row): Progress | undefined {
  const items = number(row['items'])
  return items === undefined ? undefined : { items, total: number(row['total']), rate: number(row['rate']) }
}

export function text(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}

export function number(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value)
}

export function date(value: unknown): Date | undefined {
  if (value === null || value === undefined) return undefined
  return value instanceof Date ? value : new Date(String(value))
}

/** A column that was sent as the text of JSON. */
export function json(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : undefined
}
