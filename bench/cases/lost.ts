import { setTimeout as sleep } from 'node:timers/promises'
import type { Duration } from '../../src/index.ts'
import type { Bench, BenchCase } from '../support/case.ts'
import type { Child, Message } from '../support/child.ts'
import { leaving, startFleetChild, stop } from '../support/fleet-child.ts'
import { openHeap } from '../support/heap.ts'
import { check, type Row, type Target } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { summarize } from '../support/statistics.ts'
import { fleet } from '../systems/fleet.ts'
import { payloads } from '../systems/system.ts'

const SHORTEST: Duration = '2s'
const LEASES: readonly (Duration | undefined)[] = [undefined, SHORTEST]
const SIGNALS = ['SIGKILL', 'SIGSTOP'] as const
/** Of the lost worker: nine iterations that save by time, and one frozen inside its open transaction. */
const WALKS = 9

interface Loss {
  readonly lease: Duration | 'default'
  readonly signal: (typeof SIGNALS)[number]
  /** Of each job, from the signal to its first item on the other worker, ms; the one inside its transaction last. */
  readonly ms: readonly number[]
}

interface Calm {
  readonly lease: Duration
  readonly ms: number
  readonly started: number
  readonly incarnations: number
  readonly losses: number
  readonly handled: number
}

export const lost: BenchCase = {
  name: 'lost',
  what: 'a worker killed or frozen without a trace: its jobs run elsewhere, 1,000,000 waiting',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const waiting = quick ? 20_000 : 1_000_000
  const repeats = quick ? 1 : Math.max(2, Math.ceil(pairs / 2))
  const url = await openHeap(server, 'lost', waiting)
  say(`${waiting.toLocaleString('en-US')} jobs wait`)
  const losses: Loss[] = []
  for (let n = 0; n < repeats; n++) {
    for (const lease of LEASES) {
      for (const signal of SIGNALS) {
        const one = await lose(url, lease, signal)
        losses.push(one)
        say(`lease ${one.lease}, ${signal}: ${one.ms.map((ms) => (ms / 1_000).toFixed(2)).join(', ')} s`)
      }
    }
  }
  const rows = await withClient(url, async (client) => ({
    doubled: await number(client, 'select count(*) - count(distinct (job, item)) from witness'),
    missing: await number(
      client,
      'select coalesce(sum(missing), 0) from (select max(item) + 1 - count(distinct item) as missing from witness group by job) as each',
    ),
  }))
  const calm = await underFullLoad(url, quick ? 6_000 : 60_000)
  say(
    `full load for ${calm.ms / 1_000} s at lease ${calm.lease}: ${calm.incarnations} incarnations of ${calm.started} workers`,
  )
  await server.drop('lost')

  return {
    settings: { waiting, repeats, jobsLost: WALKS + 1, defaultLease: '12s', shortestLease: SHORTEST },
    rows: LEASES.flatMap((lease) => SIGNALS.map((signal) => rowOf(lease ?? 'default', signal, losses))),
    targets: [
      target('default lease: until the last job runs elsewhere', 'default', losses, 20),
      target('shortest lease (2 s): the same', SHORTEST, losses, 3),
    ],
    checks: [
      check(
        'every lost job came back',
        losses.every(({ ms }) => ms.length === WALKS + 1),
        `${losses.length} losses of ${WALKS + 1} jobs`,
      ),
      check(
        'rows of the transactional iterations: none missing or doubled',
        rows.doubled === 0 && rows.missing === 0,
        JSON.stringify(rows),
      ),
      check(
        'no false expiry at the shortest lease under full load',
        calm.incarnations === calm.started && calm.losses === 0,
        `${calm.incarnations} incarnations of ${calm.started} workers, ${calm.losses} jobs lost, ${calm.handled} run in ${calm.ms} ms`,
      ),
    ],
    raw: { losses, calm },
  }
}

async function lose(url: string, lease: Duration | undefined, signal: Loss['signal']): Promise<Loss> {
  const options = { url, ...(lease !== undefined && { lease }) }
  const client = fleet(url)
  const victim = await startFleetChild({ ...options, expectLoss: true })
  const ids: string[] = []
  for (let n = 0; n < WALKS; n++) ids.push((await client.jobs.enqueue(client.walk)).id)
  ids.push((await client.jobs.enqueue(client.stuck)).id)
  for (const _ of ids) await victim.heard('item')
  const heir = await startFleetChild({ ...options, expectLoss: true })
  // Anywhere between two renewals.
  await sleep(1_000 + Math.random() * 2_000)
  await victim.ask({ said: 'inside' })
  const gone = victim.signal(signal)
  const back = await firstItems(heir, ids, gone)
  if (signal === 'SIGSTOP') await wake(victim)
  for (const id of ids) await client.jobs.cancel(id)
  await client.jobs.close()
  await Promise.all([stop(heir), victim.exited])
  return { lease: lease ?? 'default', signal, ms: back }
}

async function firstItems(heir: Child, ids: readonly string[], since: number): Promise<number[]> {
  const at = new Map<string, number>()
  while (at.size < ids.length) {
    const item = await heir.heard<Message & { job: string; at: number }>('item')
    at.set(item.job, item.at)
  }
  return ids.map((id) => (at.get(id) ?? Number.NaN) - since)
}

/** The frozen worker wakes among jobs that are not its own any more, has a moment to do harm, and leaves as a new incarnation. */
async function wake(victim: Child): Promise<void> {
  victim.signal('SIGCONT')
  await sleep(1_000)
  await stop(victim)
}

/** Two workers flat out on both cores: a lease that runs out now runs out wrongly. */
async function underFullLoad(url: string, ms: number): Promise<Calm> {
  const before = await history(url)
  const client = fleet(url)
  await client.jobs.enqueueMany(client.noop, payloads(50_000))
  const workers = await Promise.all([1, 2].map(() => startFleetChild({ url, lease: SHORTEST, concurrency: 500 })))
  const until = performance.now() + ms
  // Never dry: the heap of no-op jobs is kept up while they run.
  while (performance.now() < until) {
    if ((await waitingNoops(url)) < 50_000) await client.jobs.enqueueMany(client.noop, payloads(50_000))
    else await sleep(100)
  }
  for (const worker of workers) worker.signal('SIGTERM')
  const left = await Promise.all(workers.map(leaving))
  await client.jobs.close()
  const after = await history(url)
  return {
    lease: SHORTEST,
    ms,
    started: workers.length,
    incarnations: after.incarnations - before.incarnations,
    losses: after.losses - before.losses,
    handled: left.reduce((sum, { handled }) => sum + handled, 0),
  }
}

function history(url: string): Promise<{ incarnations: number; losses: number }> {
  return withClient(url, async (client) => ({
    incarnations: await number(client, 'select count(*) from holdfast.worker'),
    losses: await number(client, `select count(*) from holdfast.trail where outcome = 'lost'`),
  }))
}

function waitingNoops(url: string): Promise<number> {
  return withClient(url, (client) =>
    number(client, `select count(*) from (select from holdfast.job where queue = 'bench' limit 50000) as few`),
  )
}

function target(what: string, lease: Loss['lease'], losses: readonly Loss[], needed: number): Target {
  const worst = losses.filter((loss) => loss.lease === lease).map(({ ms }) => Math.max(...ms) / 1_000)
  const spread = summarize(worst)
  return { what, measured: spread.max, unit: ' s', needed, bound: 'at most', spread }
}

function rowOf(lease: Loss['lease'], signal: Loss['signal'], losses: readonly Loss[]): Row {
  const of = losses.filter((loss) => loss.lease === lease && loss.signal === signal)
  const plain = summarize(of.flatMap(({ ms }) => ms.slice(0, -1)))
  const inside = summarize(of.map(({ ms }) => ms.at(-1) ?? Number.NaN))
  return {
    lease,
    lost: signal === 'SIGKILL' ? 'killed' : 'frozen',
    'median s': plain.median / 1_000,
    'max s': plain.max / 1_000,
    'inside a transaction: median s': inside.median / 1_000,
    'its max s': inside.max / 1_000,
    losses: of.length,
  }
}
