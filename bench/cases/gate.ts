import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { prepare } from '../../src/deploy/gate/prepare.ts'
import type { Prepared } from '../../src/deploy/gate/prepared.ts'
import { GATE } from '../../src/engine/wake.ts'
import { Database } from '../../src/store/db.ts'
import { endDeploy } from '../../src/store/deploys.ts'
import { wake } from '../../src/store/enqueue.ts'
import { migrate } from '../../src/store/migrate.ts'
import { buildPackage } from '../support/build.ts'
import type { Bench, BenchCase } from '../support/case.ts'
import type { Child, Message } from '../support/child.ts'
import { now } from '../support/clock.ts'
import { startFleetChild, stop } from '../support/fleet-child.ts'
import { check } from '../support/result.ts'
import { number, withClient } from '../support/server.ts'
import { fill } from '../support/slice.ts'
import { median, percentile, summarize } from '../support/statistics.ts'
import { fleet, WITNESS } from '../systems/fleet.ts'
import { holdfast } from '../systems/holdfast.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const POLL_MS = 1_000
/** A pause between two polls has 10 % of jitter more. */
const ONE_POLL_MS = POLL_MS * 1.1 + 100

export const gate: BenchCase = {
  name: 'gate',
  what: 'deploy prepare: an idle fleet, the answers of its workers, handing off for an idle gate, cycles under load',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  await buildPackage(say)
  const size = quick ? 3 : 20
  const repeats = quick ? 2 : pairs * 4
  const url = await server.create('gate')
  await makeTables(url)

  say(`${size} idle workers, with LISTEN`)
  const listening = await startFleet(url, size)
  const idle = await commands(url, repeats)
  const heard = await answers(url, repeats)
  await Promise.all(listening.map(stop))
  say('only resumable work runs')
  const resumable = await handOffs(url, repeats)

  say(`${size} idle workers, without LISTEN`)
  process.env['HOLDFAST_LISTEN_URL'] = 'off'
  const deaf = await startFleet(url, size)
  const polled = await answers(url, quick ? 1 : pairs)
  await Promise.all(deaf.map(stop))
  delete process.env['HOLDFAST_LISTEN_URL']

  const cycles = await underLoad(url, quick ? 3 : 50, quick ? 20_000 : 700_000, say)
  await server.drop('gate')
  return {
    settings: {
      workers: size,
      repeats,
      cycles: cycles.back.length,
      worker: 'defaults: LISTEN, poll 1 s, concurrency 100, lease 12 s',
    },
    rows: [
      rowOf('command, idle fleet: start to exit 0', idle),
      rowOf('answers, with LISTEN', heard),
      rowOf('answers, without LISTEN', polled),
      rowOf(
        '--require idle, only resumable work: until nothing runs',
        resumable.map(({ ms }) => ms),
      ),
      rowOf('throughput back after abort', cycles.back),
    ],
    targets: [
      target('the command on an idle fleet, p50', percentile(idle, 50), 1_000, idle),
      target('answers with LISTEN, p99', percentile(heard, 99), 500, heard),
      target('answers without LISTEN, p99', percentile(polled, 99), ONE_POLL_MS, polled),
      target(
        'idle with only resumable work, slowest',
        Math.max(...resumable.map(({ ms }) => ms)),
        2_000,
        resumable.map(({ ms }) => ms),
      ),
      target('throughput back after abort, slowest', Math.max(...cycles.back), 1_000, cycles.back),
    ],
    checks: [
      check('every gate of an idle fleet passed', idle.length === repeats, idle.length),
      check(
        'nothing ran behind an idle gate',
        resumable.every(({ running }) => running === 0),
        resumable.length,
      ),
      check('nothing ran while held under load', cycles.ranHeld === 0, cycles.ranHeld),
      check('no job was lost under load', cycles.left === 0 && cycles.doubled === 0, JSON.stringify(cycles.counts)),
    ],
    raw: { idle, heard, polled, resumable, cycles },
  }
}

async function makeTables(url: string): Promise<void> {
  const db = new Database({ url, schema: 'holdfast', connections: 1 })
  await migrate(db, '0.0.0')
  await db.query(WITNESS)
  await db.close()
}

function startFleet(url: string, size: number): Promise<Child[]> {
  return Promise.all(Array.from({ length: size }, () => startFleetChild({ url })))
}

/** As a person or a pipeline would: a process, from its start to its end. */
async function commands(url: string, repeats: number): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < repeats; n++) {
    const from = now()
    const { code, stdout } = await cli(url, ['deploy', 'prepare', '--json'])
    if (code === 0) times.push(now() - from)
    await cli(url, ['deploy', 'abort', String((JSON.parse(stdout) as Prepared).number)])
    await sleep(200 + Math.random() * 300)
  }
  return times
}

function cli(url: string, args: readonly string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], DATABASE_URL: url }
    execFile(process.execPath, [CLI, ...args], { env }, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout })
    })
  })
}

/** ms from the beginning of each deploy to each worker's answer, by the database's clock. */
async function answers(url: string, repeats: number): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < repeats; n++) {
    await gated(url, {}, async ({ number: deploy }) => {
      const rows = await withClient(url, (client) =>
        client.query<{ ms: number }>(
          `select extract(epoch from w.heard_at - d.started_at)::float8 * 1000 as ms
           from holdfast.worker w join holdfast.deploy d on d.number = w.heard where w.alive and d.number = $1`,
          [deploy],
        ),
      )
      times.push(...rows.rows.map(({ ms }) => ms))
    })
    await sleep(200 + Math.random() * 300)
  }
  return times
}

/** Iterations run on all workers; until none does. */
async function handOffs(url: string, repeats: number) {
  const client = fleet(url)
  const workers = await startFleet(url, 2)
  const ids: string[] = []
  for (let n = 0; n < 20; n++) ids.push((await client.jobs.enqueue(n % 2 ? client.walk : client.write)).id)
  const done: { ms: number; running: number }[] = []
  for (let n = 0; n < repeats; n++) {
    await untilRunning(url, ids.length)
    await gated(url, { require: 'idle' }, async ({ waitedMs }) => {
      const running = await withClient(url, (each) => number(each, 'select count(*) from holdfast.job where state > 0'))
      done.push({ ms: waitedMs, running })
    })
  }
  for (const id of ids) await client.jobs.cancel(id)
  await client.jobs.close()
  await Promise.all(workers.map(stop))
  return done
}

async function untilRunning(url: string, jobs: number): Promise<void> {
  await withClient(url, async (client) => {
    while ((await number(client, 'select count(*) from holdfast.job where state > 0')) < jobs) await sleep(20)
  })
}

interface Timeline extends Message {
  readonly startedAt: number
  readonly timeline: readonly [at: number, handled: number][]
}

/** Two busy workers; held and let go again and again. */
async function underLoad(url: string, cycles: number, waiting: number, say: (line: string) => void) {
  say(`${cycles} cycles under load`)
  await fill(holdfast.name, url, waiting)
  const workers = await startFleet(url, 2)
  const ends: { begun: number; passed: number; aborted: number }[] = []
  for (let n = 0; n < cycles; n++) {
    await sleep(1_000)
    const begun = now()
    let passed = begun
    await gated(url, {}, async () => {
      passed = now()
      await sleep(200)
    })
    ends.push({ begun, passed, aborted: now() })
  }
  await sleep(1_500)
  const lines = await Promise.all(workers.map((worker) => worker.ask<Timeline>({ said: 'timeline' })))
  const rate = (from: number, to: number): number =>
    lines.reduce((sum, line) => sum + handledAt(line, to) - handledAt(line, from), 0) / ((to - from) / 1_000)
  // Of all cycles: a single one may be measured in a burst.
  const usual = median(ends.map(({ begun }) => rate(begun - 700, begun - 100)))
  const back = ends.map(({ aborted }) => {
    for (let after = 0; after < 5_000; after += 50) {
      if (rate(aborted + after, aborted + after + 200) >= usual * 0.8) return after + 200
    }
    return 5_000
  })
  // Whatever was claimed before had ended when the way was free; a sample is 50 ms old at most.
  const ranHeld = ends.reduce((sum, { passed, aborted }) => sum + rate(passed + 100, aborted - 60) * 0.001, 0)
  await withClient(url, async (client) => {
    while ((await number(client, `select count(*) from holdfast.job where queue = 'bench'`)) > 0) await sleep(200)
  })
  const samples = await Promise.all(
    workers.map((worker) => worker.ask<Message & { handled: number }>({ said: 'sample' })),
  )
  const handled = samples.reduce((sum, sample) => sum + sample.handled, 0)
  await Promise.all(workers.map(stop))
  const counts = { waiting, handled }
  return {
    back,
    ranHeld: Math.round(ranHeld),
    left: Math.max(0, waiting - handled),
    doubled: Math.max(0, handled - waiting),
    counts,
  }
}

function handledAt({ timeline }: Timeline, at: number): number {
  let handled = 0
  for (const [when, count] of timeline) {
    if (when > at) break
    handled = count
  }
  return handled
}

/** A deploy that passes, and is given up again. */
async function gated(
  url: string,
  { require = 'interruptible' as 'interruptible' | 'idle' },
  inside: (prepared: Prepared) => Promise<void>,
): Promise<void> {
  const db = new Database({ url, schema: 'holdfast', connections: 3 })
  const listenUrl = process.env['HOLDFAST_LISTEN_URL'] === 'off' ? undefined : url
  try {
    const prepared = await prepare({
      ...{ db, listenUrl, owner: 'bench', reason: 'bench', build: undefined, scope: {}, require },
      ...{ timeout: 60_000, hold: 60_000, signal: new AbortController().signal },
    })
    if (!prepared.passed) throw new Error(`The gate did not pass: ${prepared.why}`)
    await inside(prepared)
    await endDeploy(db, prepared.number, { state: 'aborted', from: ['held'] })
    await wake(db, GATE)
  } finally {
    await db.close()
  }
}

function rowOf(what: string, times: readonly number[]) {
  const at = (p: number): number => Math.round(percentile(times, p) * 10) / 10
  return { what, n: times.length, 'p50 ms': at(50), 'p99 ms': at(99), 'max ms': Math.round(Math.max(...times)) }
}

function target(what: string, measured: number, needed: number, times: readonly number[]) {
  const spread = { ...summarize(times), median: median(times) }
  return { what, measured, unit: ' ms', needed, bound: 'at most' as const, spread }
}
