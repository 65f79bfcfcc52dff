import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pc from 'picocolors'
import { SYSTEMS } from '../systems/all.ts'
import type { BenchCase } from './case.ts'
import { killChildren } from './child.ts'
import { load } from './machine.ts'
import { printChecks, printRows, printTargets } from './report.ts'
import { type CaseResult, factorOf } from './result.ts'
import { installRivals } from './rivals.ts'
import { openServer, type Server } from './server.ts'

export interface RunOptions {
  readonly quick: boolean
  readonly pairs: number
  /** ms */
  readonly hold: number
  readonly json: boolean
}

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** @returns the exit code: 1 when a case failed or did not measure what it says, whatever its speed. */
export async function runCases(cases: readonly BenchCase[], options: RunOptions): Promise<number> {
  const say = (line: string) => console.error(pc.dim(`  ${line}`))
  if (cases.some((each) => each.rivals)) await installRivals(say)
  await using server = await openServer()
  const { machine } = server
  console.error(
    `${machine.cores} cores (${machine.processor}), node ${machine.node}, PostgreSQL ${machine.postgres}, fdatasync ${machine.fdatasyncMs} ms`,
  )
  let code = 0
  for (const each of cases) {
    console.error(`\n${pc.bold(each.name)}: ${each.what}`)
    const loadBefore = load()
    if (loadBefore > machine.cores / 2)
      console.error(pc.yellow(`  Others use this machine (load ${loadBefore}): the figures are doubtful.`))
    try {
      const result = await each.run({ ...options, server, say })
      const written = recordOf(each, result, options, server, loadBefore)
      await save(each.name, options.quick, written)
      if (options.json) console.log(JSON.stringify(written, rounded))
      else print(result)
      if (result.checks.some(({ ok }) => !ok)) code = 1
    } catch (error) {
      console.error(pc.red(`  ${each.name} failed: ${error instanceof Error ? error.stack : String(error)}`))
      code = 1
      killChildren()
    }
  }
  return code
}

function recordOf(
  each: BenchCase,
  result: CaseResult,
  options: RunOptions,
  { machine }: Server,
  loadBefore: number,
): Readonly<Record<string, unknown>> {
  const { settings, rows, targets, checks, raw, notes = [] } = result
  return {
    case: each.name,
    what: each.what,
    date: new Date().toISOString(),
    quick: options.quick,
    pairs: options.pairs,
    machine: { ...machine, loadBefore, loadAfter: load() },
    versions: Object.fromEntries(
      SYSTEMS.filter(({ name }) => each.rivals || name === 'holdfast').map(({ name, version }) => [name, version]),
    ),
    settings,
    rows,
    targets: targets.map((target) => ({ ...target, factor: factorOf(target), reached: factorOf(target) >= 1 })),
    checks,
    notes,
    raw,
  }
}

async function save(name: string, quick: boolean, record: Readonly<Record<string, unknown>>): Promise<void> {
  await mkdir(RESULTS, { recursive: true })
  const { raw, ...rest } = record
  // What people read comes first, a line each; the single measurements follow on one.
  const text = `${JSON.stringify(rest, rounded, 1).slice(0, -2)},\n "raw": ${JSON.stringify(raw, rounded)}\n}\n`
  await writeFile(`${RESULTS}${name}${quick ? '.quick' : ''}.json`, text)
}

/** Six digits are more than any of these figures is worth. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
}

function print({ rows, targets, checks, notes = [] }: CaseResult): void {
  console.log()
  printRows(rows)
  printTargets(targets)
  printChecks(checks)
  for (const note of notes) console.log(pc.dim(`  ${note}`))
}
