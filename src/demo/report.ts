import { stripVTControlCharacters } from 'node:util'
import { type Colors, seconds, thousands } from './story.ts'
import { ENOUGH, type Evidence, exitCodeOf, handoffsOf, shortfalls, staleWrites, type Verdict } from './verdict.ts'

/** The verdict in a box. */
export function report(verdict: Verdict, evidence: Evidence, colors: Colors): string[] {
  const { rows, imported, missing, duplicates, redone, handoffs, kills, zombieWritesRefused, wallMs } = verdict
  const median = medianOf(evidence.strikes.flatMap((strike) => handoffsOf(strike, evidence.lines)).map(({ ms }) => ms))
  const accepted =
    evidence.strikes.flatMap((strike) => staleWrites(strike, evidence.lines)).length - zombieWritesRefused
  const bad = (count: number, what: string) => (count === 0 ? colors.green : colors.red)(`${thousands(count)} ${what}`)
  const table: [string, number, string][] = [
    ['rows in the source', rows, ''],
    [
      'rows in the table',
      imported,
      `${bad(missing, 'missing')}, ${bad(duplicates, duplicates === 1 ? 'duplicate' : 'duplicates')}`,
    ],
    [
      'rows done again',
      redone,
      duplicates === 0 ? 'inserted, rolled back, inserted anew' : 'inserted more often than once',
    ],
    ['hand-offs', handoffs, median === undefined ? '' : `at work elsewhere after ${seconds(median)} (median)`],
    ['kills in an open batch', kills, 'between the insert and its commit'],
    [
      'stale writes refused',
      zombieWritesRefused,
      accepted === 0 ? 'of workers woken after their lease' : colors.red(`${accepted} were not`),
    ],
  ]
  const lines = table.map(([what, count, remark]) => `${what.padEnd(22)}${thousands(count).padStart(10)}   ${remark}`)
  return box(
    [headline(verdict, colors), '', ...lines, '', `${seconds(wallMs)}, exit code ${exitCodeOf(verdict)}`],
    colors,
  )
}

function headline(verdict: Verdict, colors: Colors): string {
  const code = exitCodeOf(verdict)
  if (code === 0) return colors.bold(colors.green('Every row arrived exactly once.'))
  if (code === 1) return colors.bold(colors.red('Rows are missing or double.'))
  const few = shortfalls(verdict).map((fault) => `${LABELS[fault]} (${verdict[fault]} of ${ENOUGH[fault]})`)
  return colors.bold(colors.yellow(`This proves nothing: too few ${few.join(', ')}.`))
}

const LABELS = {
  handoffs: 'hand-offs',
  kills: 'kills in an open batch',
  zombieWritesRefused: 'refused stale writes',
} as const

function box(lines: readonly string[], colors: Colors): string[] {
  const width = Math.max(...lines.map((line) => stripVTControlCharacters(line).length))
  const edge = (left: string, right: string) => colors.dim(`  ${left}${'─'.repeat(width + 2)}${right}`)
  const side = colors.dim('│')
  const body = lines.map(
    (line) => `  ${side} ${line}${' '.repeat(width - stripVTControlCharacters(line).length)} ${side}`,
  )
  return [edge('┌', '┐'), ...body, edge('└', '┘')]
}

function medianOf(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
