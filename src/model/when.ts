import { isDate } from 'node:util/types'
import { type Duration, parseDuration } from './duration.ts'
import { HoldfastError } from './errors.ts'
import { show } from './show.ts'

/**
 * A moment as it travels to the database: a delay from the database's now, or a moment of its calendar.
 * A worker's clock never turns one into the other.
 */
export type When =
  | { readonly kind: 'delay'; readonly ms: number }
  /** `iso` is what `Date.toISOString` gives. */
  | { readonly kind: 'at'; readonly iso: string }

/** Dates outside are mistakes (seconds taken for milliseconds, a year with a digit too many), and some fail in PostgreSQL. */
const EARLIEST = Date.UTC(2000, 0, 1)
const LATEST = Date.UTC(2100, 0, 1)
const SECONDS_OF_THIS_CENTURY = LATEST / 1_000

/**
 * What the user gave as `after`, `expires`, `new Snooze(…)`. A moment of the past is allowed and means now.
 * @throws {HoldfastError} HF_DURATION for an invalid duration or date, or a year outside 2000 to 2099.
 */
export function parseWhen(value: Duration | Date, what: string): When {
  if (!isDate(value)) return { kind: 'delay', ms: parseDuration(value, what) }
  const time = value.getTime()
  if (Number.isNaN(time)) throw new HoldfastError('HF_DURATION', `${what} is an invalid Date`)
  if (time < EARLIEST || time >= LATEST) {
    const hint = time >= 0 && time < SECONDS_OF_THIS_CENTURY ? '; new Date() takes milliseconds, not seconds' : ''
    throw new HoldfastError(
      'HF_DURATION',
      `${what} is ${show(value.toISOString())}, outside the years 2000 to 2099${hint}`,
    )
  }
  return { kind: 'at', iso: value.toISOString() }
}
