// Takes one predicate after the other out of the store's statements, and requires that the tests notice: `npm run test:mutants`.
//   --short        one mutant of each statement that a run writes with, and the model only: what CI runs
//   --only=a,b     mutants of these statements
//   --suites=a,b   only these of model, contract, races, kill
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { Database } from '../../src/store/db.ts'
import { openEmbedded } from '../../src/store/embedded/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { inSchema } from '../../src/store/statements.ts'
import { createDatabase } from '../support/database.ts'
import { SETTINGS } from '../support/global-setup.ts'
import { MUTANTS, type Mutant, type Suite } from './mutants.ts'
import { runTests, type Verdict } from './run-tests.ts'

const ROOT = path.join(import.meta.dirname, '../..')
/** Of the model, without a mutant. */
const BASELINE_RUNS = 40
const SUITES: readonly Suite[] = ['model', 'contract', 'races', 'kill']

const { values: options } = parseArgs({
  options: { short: { type: 'boolean' }, only: { type: 'string' }, suites: { type: 'string' } },
})
const suites = options.short ? ['model'] : (options.suites?.split(',') ?? SUITES)
const only = options.only?.split(',')

function chosen(): Mutant[] {
  const seen = new Set<string>()
  return MUTANTS.filter(({ statement, caughtBy }) => {
    if (only !== undefined && !only.includes(statement)) return false
    if (!caughtBy.some((suite) => suites.includes(suite))) return false
    if (!options.short) return true
    if (!caughtBy.includes('kill') || seen.has(statement)) return false
    seen.add(statement)
    return true
  })
}

/** A copy of the repository whose statements can be changed: product code has no door for that. */
function copyRepository(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'holdfast-mutants-'))
  for (const entry of readdirSync(ROOT)) {
    if (['node_modules', 'dist', '.git', '.holdfast', 'bench'].includes(entry)) continue
    cpSync(path.join(ROOT, entry), path.join(copy, entry), { recursive: true })
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'), 'dir')
  return copy
}

async function main(): Promise<boolean> {
  const copy = copyRepository()
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-mutants-server-'))
  const server = await openEmbedded({ folder, temporary: true, settings: SETTINGS })
  try {
    return await tryAll(copy, server.url)
  } finally {
    await server.release()
    for (const each of [copy, folder]) rmSync(each, { recursive: true, force: true })
  }
}

async function tryAll(copy: string, server: string): Promise<boolean> {
  const generated = path.join(copy, 'src/store/sql.gen.ts')
  const original = readFileSync(generated, 'utf8')
  const run = (suite: Suite, statement: string, runs?: number) =>
    runTests({ copy, server, suite, statement, ...(runs !== undefined && { runs }) })
  const table = new Table({ head: ['statement', 'without', ...suites, ''], style: { head: [], border: [] } })
  const failures: string[] = []

  // A suite that fails anyway would "catch" everything.
  for (const suite of suites as Suite[]) {
    const verdict = await run(suite, 'claim', BASELINE_RUNS)
    if (verdict.caught) throw new Error(`The ${suite} tests fail without any mutant: ${verdict.by}\n${verdict.why}`)
  }
  for (const { statement, without, text, becomes, caughtBy } of chosen()) {
    const mutated = replaceOnce(bodyOf(original, statement), text, becomes)
    await requireValid(server, mutated)
    writeFileSync(
      generated,
      original.replace(bodyOf(original, statement), () => mutated),
    )
    const cells: string[] = []
    for (const suite of suites as Suite[]) {
      if (!caughtBy.includes(suite)) {
        cells.push('')
        continue
      }
      const verdict: Verdict = await run(suite, statement)
      cells.push(verdict.caught ? `${(verdict.ms / 1_000).toFixed(1)} s` : 'SURVIVED')
      if (verdict.caught) console.log(`  ${suite}: ${verdict.by}`)
      if (!verdict.caught) failures.push(`${statement} without ${without} survived the ${suite} tests`)
    }
    console.log(`${statement} without ${without}: ${cells.filter(Boolean).join(', ')}`)
    table.push([statement, without, ...cells, cells.includes('SURVIVED') ? '✗' : '✓'])
  }
  console.log(table.toString())
  for (const failure of failures) console.error(failure)
  return failures.length === 0
}

/** A statement in the generated module. */
function bodyOf(module: string, statement: string): string {
  const start = module.indexOf(`\n  ${statement}: \``)
  if (start === -1) throw new Error(`there is no statement ${statement}`)
  return module.slice(module.indexOf('`', start) + 1, module.indexOf('`,\n', start))
}

function replaceOnce(body: string, text: string, becomes: string): string {
  if (body.split(text).length !== 2) throw new Error(`no statement has this text any more: ${text}`)
  return body.replace(text, () => becomes)
}

/** What PostgreSQL refuses to parse, every test catches: that would prove nothing. */
async function requireValid(server: string, statement: string): Promise<void> {
  await using database = await createDatabase({ server })
  const db = new Database({ url: database.url, schema: 'holdfast', connections: 1 })
  try {
    await migrate(db, 'test')
    await db.query(`prepare mutant as ${inSchema(statement, 'holdfast')}`)
  } finally {
    await db.close()
  }
}

process.exitCode = (await main()) ? 0 : 1
