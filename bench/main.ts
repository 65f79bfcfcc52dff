import { parseArgs } from 'node:util'
import { deploy } from './cases/deploy.ts'
import { enqueue } from './cases/enqueue.ts'
import { gate } from './cases/gate.ts'
import { handoff } from './cases/handoff.ts'
import { isolate } from './cases/isolate.ts'
import { iteration } from './cases/iteration.ts'
import { lost } from './cases/lost.ts'
import { memory } from './cases/memory.ts'
import { noop } from './cases/noop.ts'
import { pickup } from './cases/pickup.ts'
import { runtime } from './cases/runtime.ts'
import { snapshot } from './cases/snapshot.ts'
import { wal } from './cases/wal.ts'
import { runCases } from './support/run.ts'

const CASES = [noop, enqueue, pickup, handoff, lost, gate, deploy, isolate, iteration, snapshot, runtime, memory, wal]

const USAGE = `npm run bench -- [case…] [--quick] [--pairs n] [--hold seconds] [--json]
npm run bench -- list

  --quick    a smoke run: small and short, its figures mean nothing
  --pairs    interleaved pairs of each comparison (default 5, quick 1)
  --hold     how long the snapshot case holds its snapshot, in seconds (default 300, quick 15)
  --json     the results as JSON on standard output`

process.exitCode = await main()

async function main(): Promise<number> {
  const parsed = parse()
  if (typeof parsed === 'string') {
    console.error(`${parsed}\n\n${USAGE}`)
    return 2
  }
  const { values, positionals } = parsed
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  if (positionals[0] === 'list') {
    for (const { name, what } of CASES) console.log(`${name.padEnd(10)} ${what}`)
    return 0
  }
  const unknown = positionals.find((name) => !CASES.some((each) => each.name === name))
  if (unknown !== undefined) {
    console.error(`There is no case "${unknown}": ${CASES.map((each) => each.name).join(', ')}`)
    return 2
  }
  const quick = values.quick
  const pairs = Number(values.pairs ?? (quick ? 1 : 5))
  const hold = Number(values.hold ?? (quick ? 15 : 300)) * 1_000
  if (![pairs, hold].every((value) => Number.isInteger(value) && value > 0)) {
    console.error(`--pairs and --hold take a whole number above 0\n\n${USAGE}`)
    return 2
  }
  const chosen = positionals.length === 0 ? CASES : CASES.filter(({ name }) => positionals.includes(name))
  return runCases(chosen, { quick, pairs, hold, json: values.json })
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        pairs: { type: 'string' },
        hold: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return (error as Error).message
  }
}
