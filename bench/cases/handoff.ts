import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { firstItem, leaving, startFleetChild, stop } from '../support/fleet-child.ts'
import { openHeap } from '../support/heap.ts'
import { check, type Row } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { percentile } from '../support/statistics.ts'
import { fleet } from '../systems/fleet.ts'

const KINDS = ['walk', 'write'] as const
type Kind = (typeof KINDS)[number]

interface HandOff {
  readonly kind: Kind
  /** From the signal to the first item on the other worker, ms. */
  readonly ms: number
  /** Items done twice, or left out. */
  readonly redone: number
  readonly exitCode: number | null
}

export const handoff: BenchCase = {
  name: 'handoff',
  what: 'SIGTERM at one worker: its job runs on another that has a free slot, 1,000,000 waiting',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const waiting = quick ? 20_000 : 1_000_000
  const repeats = quick ? 4 : pairs * 8
  const url = await openHeap(server, 'handoff', waiting)
  say(`${waiting.toLocaleString('en-US')} jobs wait`)
  const all: HandOff[] = []
  for (const kind of KINDS) all.push(...(await handOffs(url, kind, repeats)))
  const facts = await withClient(url, async (client) => ({
    waiting: await number(client, `select count(*) from holdfast.job where queue = 'heap' and state = 0`),
    doubled: await number(client, 'select count(*) - count(distinct (job, item)) from witness'),
    missing: await number(client, 'select max(item) + 1 - count(distinct item) from witness'),
  }))
  await server.drop('handoff')

  const times = all.map(({ ms }) => ms)
  return {
    settings: {
      waiting,
      repeats,
      workers: 2,
      itemMs: 2,
      worker: 'defaults: LISTEN, poll 1 s, concurrency 100, lease 12 s',
    },
    rows: KINDS.map((kind) =>
      rowOf(
        kind,
        all.filter((each) => each.kind === kind),
      ),
    ),
    targets: [
      {
        what: 'p50 from the signal to the first item elsewhere',
        measured: percentile(times, 50),
        unit: ' ms',
        needed: 100,
        bound: 'at most' as const,
        spread: { median: percentile(times, 50), min: Math.min(...times), max: Math.max(...times), n: times.length },
      },
    ],
    checks: [
      check(
        'every stopped worker left with exit code 0',
        all.every(({ exitCode }) => exitCode === 0),
        all.length,
      ),
      check(
        'no item was done twice or left out',
        all.every(({ redone }) => redone === 0),
        all.reduce((sum, { redone }) => sum + redone, 0),
      ),
      check(
        'rows of the transactional iteration: none missing or doubled',
        facts.doubled === 0 && facts.missing === 0,
        JSON.stringify(facts),
      ),
      check('the heap still waits', facts.waiting > waiting * 0.9, facts.waiting),
    ],
    raw: all,
  }
}

async function handOffs(url: string, kind: Kind, repeats: number): Promise<HandOff[]> {
  const client = fleet(url)
  const done: HandOff[] = []
  let holder = await startFleetChild({ url })
  const { id } = await client.jobs.enqueue(client[kind])
  await firstItem(holder, id)
  let other = await startFleetChild({ url })
  for (let n = 0; n < repeats; n++) {
    // Anywhere between two polls, renewals and checkpoints.
    await sleep(500 + Math.random() * 1_000)
    const stopped = holder.signal('SIGTERM')
    const item = await firstItem(other, id)
    const { last } = await leaving(holder)
    const { code } = await holder.exited
    const before = last.find(({ job }) => job === id)?.index ?? Number.NaN
    done.push({ kind, ms: item.at - stopped, redone: Math.abs(item.index - 1 - before), exitCode: code })
    holder = other
    other = await startFleetChild({ url })
  }
  await client.jobs.cancel(id)
  await client.jobs.close()
  await Promise.all([stop(holder), stop(other)])
  return done
}

function rowOf(kind: Kind, all: readonly HandOff[]): Row {
  const at = (p: number) =>
    percentile(
      all.map(({ ms }) => ms),
      p,
    )
  return {
    iteration: kind === 'walk' ? 'periodic checkpoints' : 'transactional, a row an item',
    'p50 ms': at(50),
    min: at(0),
    'p99 ms': at(99),
    max: at(100),
    n: all.length,
  }
}
