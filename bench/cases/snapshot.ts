import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { check, type Row } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { holdSnapshot } from '../support/snapshot.ts'
import { percentile, summarize } from '../support/statistics.ts'
import { type Slice, Stream } from '../support/stream.ts'
import { holdfast } from '../systems/holdfast.ts'

const RATE = 10_000

export const snapshot: BenchCase = {
  name: 'snapshot',
  what: 'another connection holds a snapshot for minutes, at a fixed 10,000 jobs/s',
  rivals: false,
  run,
}

async function run({ server, quick, hold, say }: Bench) {
  const times = quick
    ? { settle: 2_000, before: 5_000, slice: 2_500, rotate: 5_000 }
    : { settle: 5_000, before: 30_000, slice: 5_000, rotate: 10_000 }
  const burst = quick ? 40_000 : 300_000
  const url = await server.create('snapshot')
  await holdfast.prepare(url)
  const stream = new Stream(url, RATE, say)

  await stream.start()
  await sleep(times.settle)
  const before = await stream.watch({ ms: times.before, slice: times.slice, rotate: times.rotate })
  await stream.stop()
  const freshBefore = await stream.freshWorker(burst)
  say(`a fresh worker without a snapshot: ${Math.round(freshBefore.rate).toLocaleString('en-US')} jobs/s`)

  const held = await holdSnapshot(url)
  await stream.start()
  await sleep(times.settle)
  const during = await stream.watch({ ms: hold, slice: times.slice, rotate: times.rotate, late: 3_000 })
  await stream.stop()
  const freshHeld = await stream.freshWorker(burst)
  const { stillHeld, dead } = await held.release()
  say(
    `a fresh worker under the snapshot: ${Math.round(freshHeld.rate).toLocaleString('en-US')} jobs/s, ${dead.toLocaleString('en-US')} dead rows`,
  )

  const total = await stream.finish()
  const ends = await withClient(url, async (client) => ({
    completed: await number(client, `select count(*) from holdfast.history where task = 'noop' and state = 20`),
    left: await number(client, `select (select count(*) from holdfast.job) + (select count(*) from holdfast.waiting)`),
    losses: await number(client, `select count(*) from holdfast.trail where outcome = 'lost'`),
  }))
  await server.drop('snapshot')

  const rateBefore = summarize(before.slices.map(({ rate }) => rate)).median
  const kept = summarize(during.slices.map(({ rate }) => rate / rateBefore))
  const backs = summarize(during.handBacks)
  const lates = summarize(during.lates)
  const full = freshHeld.msUntil(freshBefore.rate * 0.8)
  return {
    settings: {
      rate: RATE,
      holdMs: hold,
      ...times,
      burst,
      workers: '2, one stopped by SIGTERM and replaced at each rotation',
      jobsHandedBackEach: 10,
    },
    rows: [
      rowOf('before', before.slices),
      rowOf('while it is held', during.slices),
      {
        phase: 'fresh worker, before',
        'jobs/s': freshBefore.rate,
        'full rate after ms': freshBefore.msUntil(freshBefore.rate * 0.8),
        'after start of the process ms': freshBefore.bootMs + freshBefore.msUntil(freshBefore.rate * 0.8),
      },
      {
        phase: 'fresh worker, held',
        'jobs/s': freshHeld.rate,
        'full rate after ms': full,
        'after start of the process ms': freshHeld.bootMs + full,
      },
    ],
    targets: [
      {
        what: 'rate of the slowest slice, of the rate before',
        measured: kept.min,
        unit: ' ×',
        needed: 0.8,
        bound: 'at least' as const,
        spread: kept,
      },
      {
        what: 'handed-back jobs, p99',
        measured: percentile(during.handBacks, 99),
        unit: ' ms',
        needed: 1_000,
        bound: 'at most' as const,
        spread: backs,
      },
      {
        what: 'jobs that commit late (3 s after their insert), slowest',
        measured: lates.max,
        unit: ' ms',
        needed: 5_000,
        bound: 'at most' as const,
        spread: lates,
      },
      {
        what: 'fresh worker: until 80 % of a fresh worker’s rate without a snapshot',
        measured: full,
        unit: ' ms',
        needed: 2_000,
        bound: 'at most' as const,
      },
      {
        what: 'its rate, of that without a snapshot',
        measured: freshHeld.rate / freshBefore.rate,
        unit: ' ×',
        needed: 0.8,
        bound: 'at least' as const,
      },
    ],
    checks: [
      check('the snapshot was held all the time', stillHeld, `${dead} dead rows in job at its end`),
      check(
        'the fleet kept up with the fixed rate before, so that it could be seen to fall behind',
        (before.slices.at(-1)?.behind ?? Number.NaN) < RATE,
        `${before.slices.at(-1)?.behind} jobs behind when it was taken: a slower or busier machine proves nothing`,
      ),
      check(
        'the fixed rate was kept up by the producer',
        Math.min(...during.slices.map(({ sent }) => sent)) > RATE * 0.8,
        `slowest slice ${Math.round(Math.min(...during.slices.map(({ sent }) => sent)))} jobs/s sent`,
      ),
      check(
        'none lost, none left',
        ends.completed === total.sent && ends.left === 0,
        `${total.sent} sent, ${ends.completed} completed, ${ends.left} left`,
      ),
      check(
        'none run twice',
        total.handled === total.sent && ends.losses === 0,
        `${total.handled} run, ${ends.losses} lost runs`,
      ),
      check(
        'every handed-back and late job was seen',
        during.missed === 0,
        `${during.handBacks.length} handed back, ${during.lates.length} late, ${during.missed} missed`,
      ),
    ],
    raw: { before, during, freshBefore, freshHeld },
    notes: [
      'the fixed rate of the last target row is not promised by itself: it shows what claims cost under the snapshot',
    ],
  }
}

function rowOf(phase: string, slices: readonly Slice[]): Row {
  const rates = summarize(slices.map(({ rate }) => rate))
  return {
    phase,
    'jobs/s': rates.median,
    min: rates.min,
    'wait p50 ms': summarize(slices.map(({ p50 }) => p50)).median,
    'wait p99 ms': summarize(slices.map(({ p99 }) => p99)).median,
    'worst p99 ms': summarize(slices.map(({ p99 }) => p99)).max,
    'most behind': summarize(slices.map(({ behind }) => behind)).max,
  }
}
