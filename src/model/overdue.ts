import { formatDuration } from './duration.ts'
import { printable } from './printable.ts'

/** A deploy whose time has run out although a migration had begun. */
export interface Overdue {
  readonly number: number
  readonly owner: string
  readonly reason: string
  /** ms since its time ran out. */
  readonly late_ms: number
}

export function overdueText({ number, owner, reason, late_ms }: Overdue): string {
  const who = printable(`${owner} (${reason})`)
  return `Deploy ${number} of ${who} had begun to migrate, and its time ran out ${formatDuration(late_ms)} ago: workers of the old code claim nothing.`
}

export function overdueCure(number: number): string {
  return `When the new code runs: \`holdfast deploy finish ${number}\`. If the old code may run again: \`holdfast deploy abort ${number} --force\`.`
}
