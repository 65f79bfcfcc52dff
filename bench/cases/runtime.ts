import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { now } from '../support/clock.ts'
import { openHeap } from '../support/heap.ts'
import { check } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { percentile, ratios, summarize } from '../support/statistics.ts'
import { type Sighting, Supervised, sightings, until } from '../support/supervised.ts'

export const runtime: BenchCase = {
  name: 'runtime',
  what: 'worker processes that die, block, loop for ever and stop, under their supervisor; and what it costs',
  rivals: false,
  run,
}

const HARD_MS = 2_000
/** Two-sided 95 % of a t distribution, by its degrees of freedom from 9 on; below, nobody should quote an interval. */
const T95 = 2.262

async function run({ server, pairs, quick, say }: Bench) {
  const waiting = quick ? 20_000 : 1_000_000
  const url = await openHeap(server, 'runtime', waiting)
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-runtime-'))
  const stage = new RuntimeStage(url, path.join(folder, 'witness'))
  try {
    const kills = await times(quick ? 3 : pairs * 4, () => stage.kill())
    say(`killed: ${kills.map(round).join(', ')} ms`)
    const exits = await times(quick ? 3 : pairs * 4, () => stage.exit())
    say(`exit: ${exits.map(round).join(', ')} ms`)
    const alone = await times(quick ? 1 : pairs, () => stage.alone())
    say(`isolated endless loop, beyond its limit: ${alone.map(round).join(', ')} ms`)
    const spins = await times(quick ? 1 : pairs, () => stage.spin())
    say(`endless loop in-process, beyond its limit: ${spins.map(({ ms }) => round(ms)).join(', ')} ms`)
    const blocked = await stage.block()
    const overhead = await stage.overhead(quick ? 2 : Math.max(10, pairs), quick ? 20_000 : 150_000, say)
    const costs = ratios(overhead.alone, overhead.supervised).map((ratio) => (ratio - 1) * 100)
    const [low, high] = interval(costs)
    return {
      settings: {
        waiting,
        itemMs: 50,
        hardLimitMs: HARD_MS,
        lease: 'defaults; 2 s where it is blocked',
        blockedMs: 6_500,
      },
      rows: [
        { what: 'killed → first item elsewhere, ms', ...spread(kills) },
        { what: 'SIGTERM → gone, ms', ...spread(exits) },
        { what: 'isolated endless loop: beyond its limit, ms', ...spread(alone) },
        { what: 'endless loop: process gone, beyond its limit, ms', ...spread(spins.map(({ ms }) => ms)) },
        { what: 'supervision, % of the no-op rate', ...spread(costs) },
      ],
      targets: [
        atMost('worker process SIGKILLed: its job elsewhere, p50', percentile(kills, 50), 150, ' ms', kills),
        atMost('exit after SIGTERM, only resumable work, p50', percentile(exits, 50), 300, ' ms', exits),
        atMost('isolated endless loop stopped after its limit, slowest', Math.max(...alone), 250, ' ms', alone),
        atMost(
          'endless loop in-process: replaced after its limit, slowest',
          Math.max(...spins.map(({ ms }) => ms)),
          1_000,
          ' ms',
          spins.map(({ ms }) => ms),
        ),
        atMost('cost of supervision, median', percentile(costs, 50), 5, ' %', costs),
      ],
      checks: [
        check(
          'blocked for three leases within its limit: one run, the lease kept',
          blocked.runs === 1 && blocked.losses === 0,
          JSON.stringify(blocked),
        ),
        check(
          'neighbours of an endless loop went on, none failed',
          spins.every(({ neighbour }) => neighbour),
          spins.length,
        ),
      ],
      raw: { kills, exits, alone, spins, blocked, overhead, costs },
      notes: [
        `supervision: mean ${round(mean(costs))} %, 95 % interval ${round(low)} to ${round(high)} % (n=${costs.length})`,
      ],
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await server.drop('runtime')
  }
}

class RuntimeStage {
  readonly #url: string
  readonly #witness: string

  constructor(url: string, witness: string) {
    this.#url = url
    this.#witness = witness
    process.env['BENCH_DATABASE'] = url
  }

  #start(
    args: readonly string[] = ['--queues', 'bench,walks'],
    env: Record<string, string> = {},
    alone = false,
  ): Supervised {
    return new Supervised({ BENCH_DATABASE: this.#url, BENCH_WITNESS: this.#witness, ...env }, args, alone)
  }

  async #enqueue(task: 'walk' | 'spin' | 'alone' | 'block'): Promise<{ id: string; cancel(): Promise<void> }> {
    const { jobs, tasks } = await import('../programs/runtime-app.ts')
    const { id } = await jobs.enqueue(tasks[task] as typeof tasks.walk)
    return { id, cancel: async () => void (await jobs.cancel(id)) }
  }

  #seen(job: string, what: string): Sighting[] {
    return sightings(this.#witness).filter((each) => each.job === job && each.what === what)
  }

  async #fresh(): Promise<void> {
    writeFileSync(this.#witness, '')
  }

  /** ms from SIGKILL of the worker process that runs it to the first item on another one. */
  async kill(): Promise<number> {
    await this.#fresh()
    const both = this.#start(['--queues', 'bench,walks', '--processes', '2'])
    await both.started(2)
    const walk = await this.#enqueue('walk')
    await until(() => this.#seen(walk.id, 'item').length > 0, 'it runs')
    await sleep(300 + Math.random() * 700)
    const last = this.#seen(walk.id, 'item').at(-1) as Sighting
    const at = now()
    process.kill(last.pid, 'SIGKILL')
    await until(() => this.#seen(walk.id, 'item').some(({ run }) => run > last.run), 'it runs elsewhere')
    const first = this.#seen(walk.id, 'item').find(({ run }) => run > last.run) as Sighting
    await walk.cancel()
    both.signal('SIGTERM')
    await both.exited
    return first.at - at
  }

  /** ms from SIGTERM to the end of the supervisor. */
  async exit(): Promise<number> {
    await this.#fresh()
    const worker = this.#start()
    await worker.started()
    const walks = [await this.#enqueue('walk'), await this.#enqueue('walk')]
    await until(() => walks.every(({ id }) => this.#seen(id, 'item').length > 2), 'they run')
    const at = worker.signal('SIGTERM')
    await worker.exited
    const ms = now() - at
    for (const walk of walks) await walk.cancel()
    return ms
  }

  /** ms that an isolated endless loop goes on beyond its hard limit. */
  async alone(): Promise<number> {
    await this.#fresh()
    const worker = this.#start()
    await worker.started()
    const { id } = await this.#enqueue('alone')
    await until(() => this.#seen(id, 'begin').length > 0, 'it runs')
    const [begun] = this.#seen(id, 'begin')
    await until(() => this.#ended(id), 'it has failed')
    const last = this.#seen(id, 'alive').at(-1)
    worker.signal('SIGTERM')
    await worker.exited
    return (last?.at ?? Number.NaN) - (begun?.at ?? Number.NaN) - HARD_MS
  }

  /** ms that an endless loop in the worker goes on beyond its hard limit, until its process is gone; and whether its neighbour went on. */
  async spin(): Promise<{ ms: number; neighbour: boolean }> {
    await this.#fresh()
    const both = this.#start(['--queues', 'bench,walks', '--processes', '2'])
    await both.started(2)
    const walks = [await this.#enqueue('walk'), await this.#enqueue('walk'), await this.#enqueue('walk')]
    await until(() => walks.every(({ id }) => this.#seen(id, 'item').length > 0), 'they run')
    const { id } = await this.#enqueue('spin')
    await until(() => this.#seen(id, 'begin').length > 0, 'it spins')
    const begun = this.#seen(id, 'begin')[0] as Sighting
    await until(
      () => both.lines.some(({ event, pid }) => event === 'died' && pid === begun.pid),
      'its process is replaced',
    )
    const ms = now() - begun.at - HARD_MS
    const after = now()
    await until(
      () => walks.every((walk) => this.#seen(walk.id, 'item').some(({ at }) => at > after)),
      'all others go on',
    )
    const failures = await withClient(this.#url, (client) =>
      number(client, `select coalesce(sum(failures + crashes), 0) from holdfast.job where task = 'walk'`),
    )
    for (const walk of walks) await walk.cancel()
    both.signal('SIGTERM')
    await both.exited
    return { ms, neighbour: failures === 0 && (await this.#ended(id)) }
  }

  /** A job that blocks the event loop for three leases, within its limit, while another worker looks for lost ones. */
  async block(): Promise<{ runs: number; losses: number }> {
    await this.#fresh()
    const workers = [1, 2].map(() => this.#start(['--queues', 'bench,walks'], { BENCH_LEASE: '2s' }))
    for (const worker of workers) await worker.started()
    const { id } = await this.#enqueue('block')
    await until(() => this.#ended(id), 'it has ended')
    const losses = await withClient(this.#url, (client) =>
      number(client, 'select losses + failures from holdfast.history where id = $1', [id]),
    )
    for (const worker of workers) worker.signal('SIGTERM')
    for (const worker of workers) await worker.exited
    return { runs: this.#seen(id, 'begin').length, losses }
  }

  /** Jobs a second with and without a supervisor, pair by pair. */
  async overhead(pairs: number, jobs: number, say: Bench['say']) {
    const rates = { alone: [] as number[], supervised: [] as number[] }
    for (let pair = 0; pair < pairs; pair++) {
      for (const kind of pair % 2 === 0 ? (['alone', 'supervised'] as const) : (['supervised', 'alone'] as const)) {
        rates[kind].push(await this.#rate(jobs, kind === 'alone'))
      }
      say(
        `${pair + 1}/${pairs} alone ${round(rates.alone.at(-1) ?? 0)}, supervised ${round(rates.supervised.at(-1) ?? 0)} jobs/s`,
      )
    }
    return rates
  }

  async #rate(count: number, alone: boolean): Promise<number> {
    const { jobs, tasks } = await import('../programs/runtime-app.ts')
    await withClient(this.#url, (client) => client.query('truncate holdfast.history'))
    await jobs.enqueueMany(tasks.noop, Array.from({ length: count }, () => undefined) as never)
    const worker = this.#start(['--queues', 'bench', '--concurrency', '500'], {}, alone)
    const done = (client: Parameters<typeof number>[0]) =>
      number(client, `select count(*) from holdfast.history where task = 'noop'`)
    const rate = await withClient(this.#url, async (client) => {
      for (;;) {
        if ((await done(client)) >= count) break
        await sleep(100)
      }
      // The middle: neither the start of a process nor its last, small claims.
      const between = `select extract(epoch from percentile_disc(0.9) within group (order by ended_at) -
        percentile_disc(0.1) within group (order by ended_at)) from holdfast.history where task = 'noop'`
      return (count * 0.8) / (await number(client, between))
    })
    worker.signal('SIGTERM')
    await worker.exited
    return rate
  }

  #ended(id: string): Promise<boolean> {
    return withClient(
      this.#url,
      async (client) => (await number(client, 'select count(*) from holdfast.history where id = $1', [id])) > 0,
    )
  }
}

async function times<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let n = 0; n < count; n++) all.push(await work())
  return all
}

function atMost(what: string, measured: number, needed: number, unit: string, values: readonly number[]) {
  return { what, measured, unit, needed, bound: 'at most' as const, spread: summarize(values) }
}

function spread(values: readonly number[]) {
  const { median, min, max, n } = summarize(values)
  return { median, min, max, n }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function interval(values: readonly number[]): [number, number] {
  const middle = mean(values)
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1)
  const half = T95 * Math.sqrt(variance / values.length)
  return [middle - half, middle + half]
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
