import Table from 'cli-table3'
import pc from 'picocolors'
import { type Check, factorOf, type Row, type Target } from './result.ts'

/** Numbers as people read them: 54,321 · 54.3 · 0.543. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

export function printRows(rows: readonly Row[]): void {
  const heads = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  if (heads.length === 0) return
  const table = new Table({ head: heads.map((head) => pc.dim(head)), chars: PLAIN, style: { head: [], border: [] } })
  for (const row of rows) {
    table.push(
      heads.map((head) => {
        const cell = row[head]
        return typeof cell === 'number' ? { content: figure(cell), hAlign: 'right' as const } : (cell ?? '')
      }),
    )
  }
  console.log(`${table.toString()}\n`)
}

export function printTargets(targets: readonly Target[]): void {
  for (const target of targets) console.log(describeTarget(target))
}

export function describeTarget(target: Target): string {
  const { what, measured, unit, needed, bound, spread } = target
  const factor = factorOf(target)
  const verdict = factor >= 1 ? pc.green('reached   ') : pc.red('fell short')
  const range = spread ? ` [${figure(spread.min)} – ${figure(spread.max)}, n=${spread.n}]` : ''
  return `  ${verdict} ${what}: ${figure(measured)}${unit}${range}; target ${bound} ${figure(needed)}${unit}; factor ${factor.toFixed(2)}`
}

export function printChecks(checks: readonly Check[]): void {
  for (const { what, ok, detail } of checks) {
    console.log(`  ${ok ? pc.dim('checked   ') : pc.red('INVALID   ')} ${what}: ${detail}`)
  }
}

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '  ',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}
