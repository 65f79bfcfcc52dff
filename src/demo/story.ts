import type pc from 'picocolors'
import type { Incident } from './faults.ts'
import type { Scene } from './import.ts'
import type { Member } from './member.ts'

export type Colors = ReturnType<typeof pc.createColors>

/** One line about what became of a worker. */
export function tell(incident: Incident, files: Scene['files'], colors: Colors): string {
  const where = movesText(incident, files)
  switch (incident.fate) {
    case 'stop': {
      const overran = incident.inTime ? '' : colors.red(' (it did not leave within its grace)')
      return `${colors.green('stopped')}  ${name(incident)}  ${where}${overran}`
    }
    case 'kill': {
      const open =
        incident.open === undefined
          ? ''
          : `, ${count(incident.open.to - incident.open.from + 1, 'row', 'rows')} uncommitted`
      return `${colors.red('killed ')}  ${name(incident)}  ${where}${colors.dim(open)}`
    }
    case 'freeze': {
      const { stale, arrived } = incident
      const writes = count(stale, 'stale write', 'stale writes')
      const answer = arrived === 0 ? colors.green(`${writes} refused`) : colors.red(`${arrived} of ${writes} arrived`)
      return `${colors.cyan('frozen ')}  ${name(incident)}  ${where}; ${answer}`
    }
  }
}

function movesText({ moves }: Incident, files: Scene['files']): string {
  if (moves.length === 0) return 'it had nothing in hand'
  const numbers = moves.map(({ job }) => files.get(job)?.number ?? 0).sort((a, b) => a - b)
  const targets = [...new Set(moves.map(({ to }) => to))].sort((a, b) => a - b)
  const slowest = Math.max(...moves.map(({ ms }) => ms))
  return `file${numbers.length > 1 ? 's' : ''} ${numbers.join(', ')} → release ${targets.join(', ')} in ${seconds(slowest)}`
}

function name({ release }: Incident): string {
  return `release ${release}`.padEnd(10)
}

/** The picture below: how far the import is, and who is at what. */
export function picture({ members, latest, files }: Scene, colors: Colors): string[] {
  const workers = members.map((member) => {
    const { number } = member.release
    const held = [...latest.values()].filter((line) => line.release === number && line.did !== 'done')
    const at = held
      .map(({ job, from }) => `file ${files.get(job)?.number} ${colors.dim(`row ${thousands(from)}`)}`)
      .sort()
    return `  ${`release ${number}`.padEnd(10)}  ${condition(member, colors)}  ${at.join('   ')}`
  })
  const { imported, rows } = progress({ latest, files })
  return [
    '',
    `  ${bar(imported / rows, 40, colors)}  ${percent(imported / rows)}  ${thousands(imported)} of ${thousands(rows)} rows`,
    '',
    ...workers,
  ]
}

/** Counted from what the workers began: a batch that follows another one proves that this is committed. */
export function progress({ latest, files }: Pick<Scene, 'latest' | 'files'>): { imported: number; rows: number } {
  let imported = 0
  let rows = 0
  for (const [job, { first, last }] of files) {
    const line = latest.get(job)
    rows += last - first + 1
    if (line !== undefined) imported += line.did === 'done' ? last - first + 1 : line.from - first
  }
  return { imported, rows }
}

function condition(member: Member, colors: Colors): string {
  const text = member.condition.padEnd(8)
  if (member.condition === 'frozen')
    return colors.cyan(`frozen ${((Date.now() - (member.frozenAt ?? 0)) / 1_000).toFixed(1)} s`)
  return member.condition === 'running' ? colors.green(text) : colors.dim(text)
}

export function bar(share: number, width: number, colors: Colors): string {
  const full = Math.max(0, Math.min(width, Math.round(share * width)))
  return `${colors.green('█'.repeat(full))}${colors.dim('░'.repeat(width - full))}`
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5)
}

export function thousands(count: number): string {
  return count.toLocaleString('en-US')
}

export function seconds(ms: number): string {
  return ms < 950 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

function count(n: number, one: string, many: string): string {
  return n === 1 ? `1 ${one}` : `${n} ${many}`
}
