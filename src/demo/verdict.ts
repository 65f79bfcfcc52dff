import type { TableFacts } from './table.ts'
import type { Testimony } from './witness.ts'

export type Fate = 'stop' | 'kill' | 'freeze'

/** Something that was done to a worker. */
export interface Strike {
  readonly fate: Fate
  readonly release: number
  /** ms since 1970 */
  readonly at: number
  /** Of a stop: it left by itself, within its grace. */
  readonly inTime: boolean
  /** Of a freeze: when it was woken. */
  readonly wokeAt: number | undefined
}

/** Everything that the demo saw with its own eyes: nothing of it comes from the engine. */
export interface Evidence {
  /** Rows of the source. */
  readonly rows: number
  readonly table: TableFacts
  readonly lines: readonly Testimony[]
  readonly strikes: readonly Strike[]
  readonly wallMs: number
}

export interface Verdict {
  readonly rows: number
  readonly imported: number
  readonly missing: number
  readonly duplicates: number
  readonly redone: number
  readonly handoffs: number
  readonly kills: number
  readonly zombieWritesRefused: number
  readonly wallMs: number
}

/** What an honest demo must have done to the import. */
export const ENOUGH = { handoffs: 5, kills: 3, zombieWritesRefused: 1 } as const

/** Pure: from what was seen to what it means. */
export function judge(evidence: Evidence): Verdict {
  const { rows, table, lines, strikes, wallMs } = evidence
  let present = 0
  for (let id = 1; id <= rows; id++) if ((table.times[id] ?? 0) > 0) present++
  return {
    rows,
    imported: table.rows,
    missing: rows - present,
    duplicates: table.rows - present,
    redone: countRedone(rows, lines),
    handoffs: strikes.flatMap((strike) => handoffsOf(strike, lines)).length,
    kills: strikes.filter((strike) => openAtKill(strike, evidence).length > 0).length,
    zombieWritesRefused: strikes.flatMap((strike) => staleWrites(strike, lines)).filter((line) => !arrived(line, table))
      .length,
    wallMs,
  }
}

/** 0: exactly once, under enough faults; 1: rows are missing or double; 2: too little happened to prove anything. */
export function exitCodeOf(verdict: Verdict): 0 | 1 | 2 {
  if (verdict.missing > 0 || verdict.duplicates > 0) return 1
  return shortfalls(verdict).length > 0 ? 2 : 0
}

export function shortfalls(verdict: Verdict): (keyof typeof ENOUGH)[] {
  return (Object.keys(ENOUGH) as (keyof typeof ENOUGH)[]).filter((fault) => verdict[fault] < ENOUGH[fault])
}

/** Rows that were inserted more often than once, each time but the last in vain. */
function countRedone(rows: number, lines: readonly Testimony[]): number {
  const done = new Uint8Array(rows + 1)
  let redone = 0
  for (const { did, from, to } of lines) {
    if (did !== 'insert') continue
    for (let id = from; id <= to; id++) {
      if (done[id] === 1) redone++
      done[id] = 1
    }
  }
  return redone
}

/** Where a job went on. */
export interface Move {
  readonly job: string
  readonly to: number
  /** From the fault to the first work elsewhere. */
  readonly ms: number
}

/** The jobs that a worker was at when it was told to stop, and that went on in another one. */
export function handoffsOf(strike: Strike, lines: readonly Testimony[]): Move[] {
  if (strike.fate !== 'stop' || !strike.inTime) return []
  const last = new Map<string, Testimony>()
  for (const line of lines) if (line.release === strike.release) last.set(line.job, line)
  return [...last.values()].flatMap((left) => {
    if (left.did === 'done') return []
    const next = lines.find((line) => line.job === left.job && line.run > left.run)
    // Before the signal: it had lost this job already, to a freeze for one.
    if (next === undefined || next.at < strike.at) return []
    return [{ job: left.job, to: next.release, ms: next.at - strike.at }]
  })
}

/** The batches that a killed worker had inserted and not committed: its last word on the job, and none of the rows is its own. */
export function openAtKill(strike: Strike, { lines, table }: Pick<Evidence, 'lines' | 'table'>): Testimony[] {
  if (strike.fate !== 'kill') return []
  const last = new Map<string, Testimony>()
  for (const line of lines) if (line.release === strike.release) last.set(line.job, line)
  return [...last.values()].filter((line) => line.did === 'insert' && !arrived(line, table))
}

/** The batches that a frozen worker inserted after it woke up, when another run had long taken over the job. */
export function staleWrites(strike: Strike, lines: readonly Testimony[]): Testimony[] {
  const { wokeAt, release } = strike
  if (strike.fate !== 'freeze' || wokeAt === undefined) return []
  return lines.filter(
    (line) =>
      line.release === release &&
      line.did === 'insert' &&
      line.at >= wokeAt &&
      lines.some((other) => other.job === line.job && other.run > line.run && other.at < line.at),
  )
}

/** Whether the table has rows of this batch from this release. */
function arrived({ release, from, to }: Testimony, table: TableFacts): boolean {
  for (let id = from; id <= to; id++) if (table.writer[id] === release) return true
  return table.again.some((row) => row.release === release && row.id >= from && row.id <= to)
}
