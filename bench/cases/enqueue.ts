import type { Bench, BenchCase } from '../support/case.ts'
import { type Message, startChild } from '../support/child.ts'
import { type Check, check, type Row, type Target } from '../support/result.ts'
import type { Server } from '../support/server.ts'
import { unfinished } from '../support/slice.ts'
import { ratios, summarize } from '../support/statistics.ts'
import { systemOf } from '../systems/all.ts'

const NAMES = ['holdfast', 'graphile-worker', 'pg-boss'] as const
const MODES = ['one by one', '50 callers', 'bulk'] as const
type Name = (typeof NAMES)[number]
type Mode = (typeof MODES)[number]

interface Measured {
  readonly jobs: number
  readonly ms: number
  /** More rows in the database, seen from another connection right after the last acknowledgement. */
  readonly stored: number
}

export const enqueue: BenchCase = {
  name: 'enqueue',
  what: 'enqueue: one by one, 50 concurrent single calls, bulk',
  rivals: true,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const sizes = quick
    ? { warmUpMs: 300, callsMs: 500, bulk: 20_000, watchMs: 300 }
    : { warmUpMs: 1_000, callsMs: 4_000, bulk: 200_000, watchMs: 2_000 }
  const urls = new Map<Name, string>()
  for (const name of NAMES) {
    const url = await server.create(`enqueue_${name.replace('-', '_')}`)
    await systemOf(name).prepare(url)
    urls.set(name, url)
  }
  const measured = new Map<string, Measured[]>()
  const early = new Map<Name, { looks: number; early: number }>()
  for (let pair = 0; pair < pairs; pair++) {
    for (const mode of MODES) {
      for (const name of pair % 2 === 0 ? NAMES : NAMES.toReversed()) {
        await server.checkpoint()
        const one = await measure(name, urls.get(name) as string, mode, sizes)
        measured.set(`${name} ${mode}`, [...(measured.get(`${name} ${mode}`) ?? []), one])
        say(`${pair + 1}/${pairs} ${name}, ${mode}: ${Math.round(rateOf(one)).toLocaleString('en-US')} jobs/s`)
      }
    }
  }
  for (const name of NAMES) early.set(name, await watch(server, name, sizes.watchMs))
  for (const name of NAMES) await server.drop(`enqueue_${name.replace('-', '_')}`)

  const rates = (name: Name, mode: Mode) => (measured.get(`${name} ${mode}`) ?? []).map(rateOf)
  const better = rates('graphile-worker', 'bulk').map((rate, pair) =>
    Math.max(rate, rates('pg-boss', 'bulk')[pair] ?? 0),
  )
  return {
    settings: { ...sizes, bulk: '1,000 jobs a call (holdfast: enqueueMany), two calls at a time', callSize: 1_000 },
    rows: NAMES.flatMap((name) => MODES.map((mode): Row => rowOf(name, mode, rates(name, mode)))),
    targets: [
      target(
        '50 callers, against graphile-worker',
        ratios(rates('holdfast', '50 callers'), rates('graphile-worker', '50 callers')),
        20,
      ),
      target('bulk, against the better rival of each round', ratios(rates('holdfast', 'bulk'), better), 2),
    ],
    checks: [...storedChecks(measured), ...[...early].map(earlyCheck)],
    raw: Object.fromEntries(measured),
  }
}

type Sizes = { readonly warmUpMs: number; readonly callsMs: number; readonly bulk: number }

async function measure(name: Name, url: string, mode: Mode, { warmUpMs, callsMs, bulk }: Sizes): Promise<Measured> {
  await using producer = startChild('producer', { system: name, url })
  await producer.heard('ready')
  const callers = mode === 'one by one' ? 1 : 50
  if (mode === 'bulk') await producer.ask({ said: 'bulk', jobs: bulk / 10 })
  else await producer.ask({ said: 'calls', ms: warmUpMs, callers })
  const before = await unfinished(name, url)
  const order = mode === 'bulk' ? { said: 'bulk', jobs: bulk } : { said: 'calls', ms: callsMs, callers }
  const { jobs, ms } = await producer.ask<Message & { jobs: number; ms: number }>(order)
  const stored = (await unfinished(name, url)) - before
  await producer.ask({ said: 'stop' })
  return { jobs, ms, stored }
}

/** In a small database of its own, where a look is quick. */
async function watch(server: Server, system: Name, ms: number): Promise<{ looks: number; early: number }> {
  const url = await server.create('enqueue_watch')
  await systemOf(system).prepare(url)
  await using producer = startChild('producer', { system, url })
  await producer.heard('ready')
  return await producer.ask<Message & { looks: number; early: number }>({ said: 'early', ms, callers: 50 })
}

function rateOf({ jobs, ms }: Measured): number {
  return (jobs / ms) * 1_000
}

function rowOf(system: Name, calls: Mode, rates: readonly number[]): Row {
  const { median, min, max } = summarize(rates)
  return { system, calls, 'jobs/s': median, min, max }
}

function target(what: string, values: readonly number[], needed: number): Target {
  const spread = summarize(values)
  return { what, measured: spread.median, unit: ' ×', needed, bound: 'at least', spread }
}

function storedChecks(measured: ReadonlyMap<string, readonly Measured[]>): Check[] {
  return [...measured].map(([what, all]) => {
    const wrong = all.filter(({ jobs, stored }) => jobs !== stored)
    const detail = all.map(({ jobs, stored }) =>
      jobs === stored ? `${jobs}` : `${jobs} acknowledged, ${stored} stored`,
    )
    return check(`${what}: every acknowledged job is stored`, wrong.length === 0, detail.join(', '))
  })
}

function earlyCheck([name, { looks, early }]: [Name, { looks: number; early: number }]): Check {
  return check(
    `${name}: a call resolves only after its commit`,
    early === 0 && looks > 0,
    `${early} of ${looks} looks found less than acknowledged`,
  )
}
