import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Suite } from './mutants.ts'

export interface Verdict {
  /** A test failed, as it should. */
  readonly caught: boolean
  /** The first test that did. */
  readonly by: string
  /** What it said. */
  readonly why: string
  readonly ms: number
}

interface TestResult {
  readonly status: string
  readonly fullName: string
  readonly failureMessages?: readonly string[]
}

interface Report {
  readonly numTotalTests: number
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly TestResult[]
  }[]
}

const FOLDERS: Record<Suite, (statement: string) => string> = {
  model: () => 'test/invariants/model.test.ts',
  contract: (statement) => `test/store/contract/${statement}.test.ts`,
  races: () => 'test/store/races',
  kill: () => 'test/kill',
}
/** More sequences than usual, since most mutants are caught early; no search for the shortest one. */
const RUNS = 150
const PATIENCE_MS = 10 * 60_000

/** One suite on the copy, as it stands now. Throws when no test ran at all: a mutant that is no valid SQL proves nothing. */
export async function runTests(of: {
  copy: string
  server: string
  suite: Suite
  statement: string
}): Promise<Verdict> {
  const from = performance.now()
  const output = path.join(of.copy, 'report.json')
  rmSync(output, { force: true })
  const vitest = path.join(of.copy, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', FOLDERS[of.suite](of.statement), '--bail=1', '--reporter=json', `--outputFile=${output}`]
  const said = await outputOf(args, of)
  if (!existsSync(output)) throw new Error(`vitest wrote no report: ${said}`)
  const report = JSON.parse(readFileSync(output, 'utf8')) as Report
  const tests = report.testResults.flatMap((file) => file.assertionResults)
  const failed = tests.filter(({ status }) => status === 'failed')
  if (failed.length === 0 && !tests.some(({ status }) => status === 'passed')) {
    throw new Error(`No test ran: ${report.testResults.map(({ message }) => message).join(' ')} ${said}`)
  }
  return {
    caught: failed.length > 0,
    by: failed[0]?.fullName ?? '',
    why: failed[0]?.failureMessages?.[0] ?? '',
    ms: performance.now() - from,
  }
}

function outputOf(args: readonly string[], of: { copy: string; server: string; runs?: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const { copy, server, runs = RUNS } = of
    const model = { HOLDFAST_MODEL_RUNS: String(runs), HOLDFAST_MODEL_SHRINK: 'no' }
    const env = { ...process.env, ...model, HOLDFAST_TEST_DATABASE_URL: server }
    const child = spawn(process.execPath, args, { cwd: copy, env, timeout: PATIENCE_MS })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
    child.on('error', reject)
    child.on('close', () => resolve(said.slice(-2_000)))
  })
}
