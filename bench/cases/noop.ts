import type { Bench, BenchCase } from '../support/case.ts'
import { type Check, check, type Row } from '../support/result.ts'
import { runSlice, type Slice } from '../support/slice.ts'
import { ratios, summarize } from '../support/statistics.ts'
import { systemOf } from '../systems/all.ts'
import type { WorkSettings } from '../systems/system.ts'

interface Variant {
  readonly name: string
  readonly system: string
  /** Systems that share tables share a database. */
  readonly database: string
  readonly settings: WorkSettings
  /** At default concurrency: for the record, in slices cut short. */
  readonly byDefault?: boolean
}

const IN_FLIGHT = 500

const VARIANTS: readonly Variant[] = [
  { name: 'holdfast', system: 'holdfast', database: 'holdfast', settings: { inFlight: IN_FLIGHT } },
  {
    name: 'holdfast, no history',
    system: 'holdfast',
    database: 'holdfast',
    settings: { inFlight: IN_FLIGHT, history: false },
  },
  {
    name: 'graphile-worker',
    system: 'graphile-worker',
    database: 'graphile_worker',
    settings: { inFlight: IN_FLIGHT },
  },
  { name: 'pg-boss', system: 'pg-boss', database: 'pg_boss', settings: { inFlight: IN_FLIGHT } },
  { name: 'bare SQL', system: 'bare SQL', database: 'holdfast', settings: { inFlight: IN_FLIGHT } },
  {
    name: 'bare SQL, no history',
    system: 'bare SQL',
    database: 'holdfast',
    settings: { inFlight: IN_FLIGHT, history: false },
  },
  { name: 'holdfast, defaults', system: 'holdfast', database: 'holdfast', settings: {}, byDefault: true },
  {
    name: 'graphile-worker, defaults',
    system: 'graphile-worker',
    database: 'graphile_worker',
    settings: {},
    byDefault: true,
  },
  { name: 'pg-boss, defaults', system: 'pg-boss', database: 'pg_boss', settings: {}, byDefault: true },
]

export const noop: BenchCase = {
  name: 'noop',
  what: 'no-op jobs on one worker process, 1,000,000 waiting',
  rivals: true,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const size = quick
    ? { waiting: 60_000, warmUp: 3_000, ms: 1_500, jobs: 40_000 }
    : { waiting: 1_000_000, warmUp: 20_000, ms: 10_000, jobs: 600_000 }
  const urls = new Map<string, string>()
  for (const { database, system } of VARIANTS) {
    if (urls.has(database)) continue
    const url = await server.create(`noop_${database}`)
    await systemOf(system).prepare(url)
    urls.set(database, url)
  }

  const slices = new Map<string, Slice[]>(VARIANTS.map(({ name }) => [name, []]))
  for (let pair = 0; pair < pairs; pair++) {
    // Back and forth, so that whatever drifts (cache, disk, neighbours) touches all alike.
    for (const variant of pair % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
      const { name, system, settings, byDefault } = variant
      const url = urls.get(variant.database) as string
      const cut = byDefault ? { warmUp: 1, ms: size.ms / 2 } : {}
      const slice = await runSlice(server, { system, url, settings, ...size, ...cut })
      slices.get(name)?.push(slice)
      say(`${pair + 1}/${pairs} ${name}: ${Math.round(slice.rate).toLocaleString('en-US')} jobs/s`)
    }
  }
  for (const database of urls.keys()) await server.drop(`noop_${database}`)

  const rates = (name: string) => (slices.get(name) ?? []).map((slice) => slice.rate)
  const better = rates('graphile-worker').map((rate, pair) => Math.max(rate, rates('pg-boss')[pair] ?? 0))
  const withHistory = ratios(rates('holdfast'), better)
  const without = ratios(rates('holdfast, no history'), better)
  const ofBare = ratios(rates('holdfast'), rates('bare SQL'))
  const ofBareWithout = ratios(rates('holdfast, no history'), rates('bare SQL, no history'))
  const target = (what: string, values: readonly number[], needed: number) => {
    const spread = summarize(values)
    return { what, measured: spread.median, unit: ' ×', needed, bound: 'at least' as const, spread }
  }
  return {
    settings: {
      ...size,
      inFlight: IN_FLIGHT,
      'graphile-worker': `concurrentJobs ${IN_FLIGHT}, localQueue.size ${IN_FLIGHT}, completeJobBatchDelay 0`,
      'pg-boss': `batchSize ${IN_FLIGHT / 2}, localConcurrency 2, burstWhenBatchFull, pollingIntervalSeconds 0.5`,
      defaults: Object.fromEntries(
        ['holdfast', 'graphile-worker', 'pg-boss'].map((name) => [name, systemOf(name).defaults]),
      ),
    },
    rows: VARIANTS.map(({ name }) => rowOf(name, slices.get(name) ?? [])),
    targets: [
      target('with history, against the better rival of each round', withHistory, 2),
      target('without history, against the better rival of each round', without, 2.2),
      target('with history, against the bare SQL loop with history', ofBare, 0.6),
      target('without history, against the bare SQL loop without', ofBareWithout, 0.6),
    ],
    checks: [...slices].map(([name, all]) => agreement(name, all)),
    raw: Object.fromEntries(slices),
    notes: [
      'stretch: 3 × the better rival',
      'µs a job: processor time of the worker process and of all server processes',
    ],
  }
}

/** Holdfast to the job. A rival may leave one behind as it stops: that is its own matter, and no cheating with figures. */
function agreement(name: string, slices: readonly Slice[]): Check {
  const slack = name.startsWith('holdfast') || name.startsWith('bare') ? 0 : 0.001
  const wrong = slices.filter(({ handled, finished }) => Math.abs(handled - finished) > Math.ceil(handled * slack))
  const detail = slices.map(({ handled, finished }) =>
    handled === finished ? `${handled}` : `${handled} run, ${finished} done`,
  )
  return check(`${name}: jobs run and jobs done in the database agree`, wrong.length === 0, detail.join(', '))
}

function rowOf(name: string, slices: readonly Slice[]): Row {
  const { median, min, max } = summarize(slices.map((slice) => slice.rate))
  const server = slices.flatMap(({ serverMicros }) => serverMicros ?? [])
  return {
    system: name,
    'jobs/s': median,
    min,
    max,
    'worker µs/job': summarize(slices.map((slice) => slice.nodeMicros)).median,
    'server µs/job': server.length === 0 ? '–' : summarize(server).median,
  }
}
