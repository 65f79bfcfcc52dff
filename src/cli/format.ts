import { stripVTControlCharacters } from 'node:util'
import Table from 'cli-table3'
import { formatDuration } from '../model/duration.ts'
import type { Progress } from '../store/report-rows.ts'
import { colors, terminalWidth } from './output.ts'

const GAP = 2
const NARROWEST = 12

/**
 * Rows under a head, columns apart by blanks: the same for a person and for a pipe, except that on a terminal the last column is cut to
 * what fits.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const last = head.length - 1
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => visibleLength(row[column] ?? ''))),
  )
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP, 0)
  const room = terminalWidth()
  const most = room === undefined ? Number.POSITIVE_INFINITY : Math.max(NARROWEST, room - before)
  const lines = new Table({
    head: head.map((title) => colors.dim(title.toUpperCase())),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
  })
  lines.push(...rows.map((row) => row.map((cell, column) => (column === last ? cut(cell, most) : cell))))
  return lines.toString().replaceAll(/ +$/gm, '')
}

const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, '']),
)

/** A cell with colours in it is not cut: they would run on. */
function cut(cell: string, most: number): string {
  if (cell.length <= most || stripVTControlCharacters(cell) !== cell) return cell
  return `${cell.slice(0, Math.max(1, most - 1))}…`
}

function visibleLength(cell: string): number {
  return stripVTControlCharacters(cell).length
}

/** 1,234,567: the same on every machine. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** `1 job`, `2 jobs`. */
export function plural(n: number, one: string): string {
  return `${count(n)} ${one}${n === 1 ? '' : 's'}`
}

export function ago(then: Date, now: Date): string {
  return `${formatDuration(Math.max(0, now.getTime() - then.getTime()))} ago`
}

/** In UTC, as every log has it; to the second, unless two of them are to be compared. */
export function moment(at: Date): string {
  return at
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}

const BAR = 24

/** `██████░░ 60 %  600,000 of 1,000,000, 12,300/s, 33s left`, as far as it is known. */
export function progressLine({ items, total, rate }: Progress): string {
  const parts = [total === undefined ? plural(items, 'item') : `${count(items)} of ${count(total)}`]
  if (rate !== undefined && rate > 0) parts.push(`${count(Math.round(rate * 10) / 10)}/s`)
  const eta = etaMs({ items, total, rate })
  if (eta !== undefined) parts.push(`${formatDuration(eta)} left`)
  if (total === undefined || total <= 0) return parts.join(', ')
  const share = Math.min(1, items / total)
  const full = Math.floor(share * BAR)
  return `${colors.green('█'.repeat(full))}${colors.dim('░'.repeat(BAR - full))} ${Math.floor(share * 100)} %  ${parts.join(', ')}`
}

/** ms until the last item, at the present rate. */
export function etaMs({ items, total, rate }: Progress): number | undefined {
  if (total === undefined || rate === undefined || rate <= 0 || items >= total) return undefined
  return Math.round(((total - items) / rate) * 1_000)
}
