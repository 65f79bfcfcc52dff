import type { Summary } from './statistics.ts'

/** A line of the table that a case prints. */
export type Row = Readonly<Record<string, string | number>>

/** What the product promises of a figure. */
export interface Target {
  readonly what: string
  readonly measured: number
  readonly unit: string
  /** The promise. */
  readonly needed: number
  /** Whether the promise is a floor or a ceiling. */
  readonly bound: 'at least' | 'at most'
  /** All pairs or samples behind `measured`. */
  readonly spread?: Summary
}

/** Whether a measurement measured what it says. A failed one makes the whole case invalid. */
export interface Check {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
}

export interface CaseResult {
  /** What was fixed: settings of each system, sizes, lengths. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly rows: readonly Row[]
  readonly targets: readonly Target[]
  readonly checks: readonly Check[]
  /** Each single measurement, in the order in which they were made. */
  readonly raw: unknown
  readonly notes?: readonly string[]
}

/** How much better than promised: 1 is just reached, 0.5 is half of what was promised, 100 the most that is told. */
export function factorOf({ measured, needed, bound }: Target): number {
  if (bound === 'at least') return Math.min(100, measured / needed)
  return measured <= 0 ? 100 : Math.min(100, needed / measured)
}

export function check(what: string, ok: boolean, detail: string | number): Check {
  return { what, ok, detail: String(detail) }
}
