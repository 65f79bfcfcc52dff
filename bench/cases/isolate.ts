import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { type Child, startChild } from '../support/child.ts'
import { check, type Row } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { summarize } from '../support/statistics.ts'
import { systemOf } from '../systems/all.ts'

const PLACES = ['here', 'process', 'thread'] as const
type Place = (typeof PLACES)[number]
const SLOTS = [1, 20] as const

interface Round {
  readonly slots: number
  readonly place: Place
  /** From the end of one job to the end of the next, µs. */
  readonly micros: number
  readonly completed: number
}

export const isolate: BenchCase = {
  name: 'isolate',
  what: 'a no-op job in a warm process or thread of its own, on top of one in the worker',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const jobs = quick ? 300 : 3_000
  const all: Round[] = []
  const late: number[] = []
  for (const slots of SLOTS) {
    const url = await server.create(`isolate_${slots}`)
    await systemOf('holdfast').prepare(url)
    await using worker = startChild('isolate', { url, slots })
    await worker.heard('ready')
    for (const place of PLACES) await measure(worker, url, { slots, place, jobs })
    for (let pair = 0; pair < pairs * 2; pair++) {
      for (const place of pair % 2 === 0 ? PLACES : PLACES.toReversed()) {
        const round = await measure(worker, url, { slots, place, jobs })
        all.push(round)
        say(`${slots} at a time, ${place}: ${Math.round(round.micros)} µs a job`)
      }
    }
    for (let n = 0; slots > 1 && n < (quick ? 2 : 10); n++) late.push(await loop(worker, url))
    await worker.ask({ said: 'stop' })
    await server.drop(`isolate_${slots}`)
  }

  const microsOf = (slots: number, place: Place) =>
    all.filter((round) => round.slots === slots && round.place === place).map(({ micros }) => micros)
  const above = (place: Place) => {
    const inWorker = microsOf(1, 'here')
    return summarize(microsOf(1, place).map((micros, pair) => micros - (inWorker[pair] ?? Number.NaN)))
  }
  const target = (what: string, place: Place) => {
    const spread = above(place)
    return { what, measured: spread.median, unit: ' µs', needed: 300, bound: 'at most' as const, spread }
  }
  return {
    settings: { jobs, slots: SLOTS, recycleAfter: 'never, so that every job meets a warm process' },
    rows: SLOTS.flatMap((slots) => PLACES.map((place) => rowOf(slots, place, microsOf(slots, place)))),
    targets: [
      {
        what: 'an endless loop in a process: from its hard limit of 2 s to its end on record, the slowest',
        measured: Math.max(...late),
        unit: ' ms',
        needed: 250,
        bound: 'at most' as const,
        spread: summarize(late),
      },
      target('process: on top of a job in the worker, one at a time', 'process'),
      target('thread: on top of a job in the worker, one at a time', 'thread'),
    ],
    checks: [
      check(
        'every job of every round completed',
        all.every(({ completed }) => completed === jobs),
        all.length * jobs,
      ),
    ],
    raw: { all, late },
  }
}

/** One at a time, the pause from end to end is one job's: of those the median, which no neighbour on the machine can move. */
const MEDIAN = `
select percentile_cont(0.5) within group (order by pause) from (
  select extract(epoch from ended_at - lag(ended_at) over (order by ended_at)) * 1e6 as pause from holdfast.history where task = $1
) as pauses`
const MEAN = `
select extract(epoch from max(ended_at) - min(ended_at)) * 1e6 / (count(*) - 1) from holdfast.history where task = $1`

/** Runs `jobs` of one kind to their end. The times are the database's: when each end was written. */
async function measure(
  worker: Child,
  url: string,
  { slots, place, jobs }: { slots: number; place: Place; jobs: number },
): Promise<Round> {
  await withClient(url, (client) => client.query('truncate holdfast.history'))
  await worker.ask({ said: 'enqueue', task: place, count: jobs })
  return withClient(url, async (client) => {
    const done = `select count(*) from holdfast.history where task = $1 and state = 20`
    for (let waits = 0; (await number(client, done, [place])) < jobs && waits < 6_000; waits++) await sleep(10)
    const micros = await number(client, slots === 1 ? MEDIAN : MEAN, [place])
    return { slots, place, micros, completed: await number(client, done, [place]) }
  })
}

/** One endless loop; how long after its hard limit its failure was written, ms. The claim of its run counts as part of it. */
async function loop(worker: Child, url: string): Promise<number> {
  await withClient(url, (client) => client.query('truncate holdfast.history'))
  await worker.ask({ said: 'enqueue', task: 'loop', count: 1 })
  return withClient(url, async (client) => {
    const failed = `select extract(epoch from ended_at - started_at) * 1e3 from holdfast.history where task = 'loop' and state = 21`
    for (let waits = 0; waits < 2_000; waits++) {
      const ms = await number(client, failed)
      if (Number.isFinite(ms) && ms > 0) return ms - 2_000
      await sleep(10)
    }
    return Number.NaN
  })
}

function rowOf(slots: number, place: Place, values: readonly number[]): Row {
  const { median, min, max } = summarize(values)
  return { 'jobs at a time': slots, where: place, 'µs a job': median, min, max, 'jobs/s': 1e6 / median }
}
