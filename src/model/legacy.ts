import { HoldfastError } from './errors.ts'
import { checkKeys } from './options.ts'
import { show } from './show.ts'

/** A task that may not be interrupted and takes longer than it may: it runs on, in full view, until it has been improved. */
export interface Legacy {
  /** Why it is as it is; shown wherever the task is named. */
  readonly reason: string
  /** The day by which it is to be improved: '2027-03-31'. */
  readonly until: string
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

/** @throws {HoldfastError} HF_CONFIG. */
export function resolveLegacy(legacy: Legacy | undefined, what: string): Legacy | undefined {
  if (legacy === undefined) return undefined
  const { reason, until } = checkKeys(legacy, ['reason', 'until'], what)
  if (typeof reason !== 'string' || reason.trim() === '')
    throw new HoldfastError('HF_CONFIG', `reason in ${what} must say why the task is as it is, not ${show(reason)}`)
  if (typeof until !== 'string' || !DAY.test(until) || !isDay(until))
    throw new HoldfastError('HF_CONFIG', `until in ${what} must be a day like '2027-03-31', not ${show(until)}`)
  return Object.freeze({ reason, until })
}

/** Whether the last day has gone by. */
export function isOverdue({ until }: Legacy, now: Date): boolean {
  return now.getTime() >= Date.parse(`${until}T00:00:00Z`) + 86_400_000
}

function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}
