import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { type Message, startChild } from '../support/child.ts'
import { check, type Row, type Target } from '../support/result.ts'
import { unfinished } from '../support/slice.ts'
import { percentile, summarize } from '../support/statistics.ts'
import { systemOf } from '../systems/all.ts'

const NAMES = ['holdfast', 'graphile-worker', 'pg-boss'] as const
type Name = (typeof NAMES)[number]

/** ms between two jobs: 20 a second. */
const EVERY_MS = 50
/** Jobs at the start of a slice that are not counted: connections open, code warms up. */
const WARM_UP = 20
const SLOTS = 10

export const pickup: BenchCase = {
  name: 'pickup',
  what: 'from the call of enqueue to the start of the code, on an idle worker, 20 jobs a second',
  rivals: true,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const count = quick ? 60 : 400
  const urls = new Map<Name, string>()
  for (const name of NAMES) {
    const url = await server.create(`pickup_${name.replace('-', '_')}`)
    await systemOf(name).prepare(url, true)
    urls.set(name, url)
  }
  const slices = new Map<Name, number[][]>(NAMES.map((name) => [name, []]))
  const left = new Map<Name, number>()
  for (let pair = 0; pair < pairs; pair++) {
    for (const name of pair % 2 === 0 ? NAMES : NAMES.toReversed()) {
      const waits = await measure(name, urls.get(name) as string, count)
      slices.get(name)?.push(waits)
      left.set(name, await unfinished(name, urls.get(name) as string))
      say(
        `${pair + 1}/${pairs} ${name}: p50 ${percentile(waits, 50).toFixed(2)} ms, p99 ${percentile(waits, 99).toFixed(2)} ms`,
      )
    }
  }
  for (const name of NAMES) await server.drop(`pickup_${name.replace('-', '_')}`)

  const perSlice = (name: Name, p: number) => (slices.get(name) ?? []).map((waits) => percentile(waits, p))
  const target = (p: number): Target => {
    const spread = summarize(
      perSlice('holdfast', p).map((ours, pair) => ours / (perSlice('graphile-worker', p)[pair] ?? 0)),
    )
    return {
      what: `p${p}, against graphile-worker's`,
      measured: spread.median,
      unit: ' ×',
      needed: 1,
      bound: 'at most',
      spread,
    }
  }
  return {
    settings: {
      jobsASlice: count,
      slots: SLOTS,
      holdfast: 'LISTEN, poll 1 s (defaults)',
      'graphile-worker': `LISTEN, poll 2 s (defaults), concurrentJobs ${SLOTS}`,
      'pg-boss': `useListenNotify, queue with notify, localConcurrency ${SLOTS}`,
    },
    rows: NAMES.map((name) => rowOf(name, slices.get(name) ?? [])),
    targets: [target(50), target(99)],
    checks: NAMES.map((name) => {
      const seen = (slices.get(name) ?? []).reduce((sum, waits) => sum + waits.length, 0)
      const due = (count - WARM_UP) * pairs
      return check(
        `${name}: every job was run`,
        seen === due && left.get(name) === 0,
        `${seen} of ${due} timed, ${left.get(name)} left`,
      )
    }),
    raw: Object.fromEntries(slices),
    notes: ['percentiles within each slice; medians over the slices'],
  }
}

async function measure(name: Name, url: string, count: number): Promise<number[]> {
  await using worker = startChild('worker', {
    system: name,
    url,
    settings: { inFlight: SLOTS, idle: true },
    latencies: true,
  })
  await using producer = startChild('producer', { system: name, url })
  await Promise.all([worker.heard('ready'), producer.heard('ready')])
  // Its listener may still be connecting.
  await sleep(1_000)
  await producer.ask({ said: 'pace', count, every: EVERY_MS })
  await sleep(500)
  const { waits } = await worker.ask<Message & { waits: number[] }>({ said: 'waits' })
  await Promise.all([worker.ask({ said: 'stop' }), producer.ask({ said: 'stop' })])
  return waits.slice(WARM_UP)
}

function rowOf(system: Name, slices: readonly number[][]): Row {
  const at = (p: number) => summarize(slices.map((waits) => percentile(waits, p)))
  return {
    system,
    'p50 ms': at(50).median,
    'min p50': at(50).min,
    'max p50': at(50).max,
    'p99 ms': at(99).median,
    'min p99': at(99).min,
    'max p99': at(99).max,
  }
}
