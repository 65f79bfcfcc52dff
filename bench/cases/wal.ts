import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchCase } from '../support/case.ts'
import { startChild } from '../support/child.ts'
import { now } from '../support/clock.ts'
import { check, type Row } from '../support/result.ts'
import { number, type Server, withClient } from '../support/server.ts'
import { fill, unfinished } from '../support/slice.ts'
import { summarize } from '../support/statistics.ts'
import { systemOf } from '../systems/all.ts'
import type { WorkSettings } from '../systems/system.ts'

interface Variant {
  readonly name: string
  readonly system: string
  readonly settings: WorkSettings
}

interface Bytes {
  /** Bytes of write-ahead log a job. */
  readonly enqueue: number
  readonly run: number
  /** Whole pages in it, in all: what the last checkpoint makes it write, not the job. */
  readonly pages: number
  readonly left: number
}

const VARIANTS: readonly Variant[] = [
  { name: 'holdfast', system: 'holdfast', settings: { inFlight: 500 } },
  { name: 'holdfast, no history', system: 'holdfast', settings: { inFlight: 500, history: false } },
  { name: 'graphile-worker', system: 'graphile-worker', settings: { inFlight: 500 } },
  { name: 'pg-boss', system: 'pg-boss', settings: { inFlight: 500 } },
]

export const wal: BenchCase = {
  name: 'wal',
  what: 'bytes of write-ahead log a job, enqueued in bulk and run',
  rivals: true,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const jobs = quick ? 20_000 : 200_000
  const measured = new Map<string, Bytes[]>(VARIANTS.map(({ name }) => [name, []]))
  for (let pair = 0; pair < Math.min(pairs, 3); pair++) {
    for (const variant of pair % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
      const bytes = await measure(server, variant, jobs)
      measured.get(variant.name)?.push(bytes)
      say(`${variant.name}: ${Math.round(bytes.enqueue)} to enqueue, ${Math.round(bytes.run)} to run`)
    }
  }
  return {
    settings: {
      jobs,
      note: 'a fresh database each time; a checkpoint before the first job, none in between; payload of about 100 bytes',
    },
    rows: VARIANTS.map(({ name }) => rowOf(name, measured.get(name) ?? [])),
    targets: [],
    checks: [...measured].map(([name, all]) =>
      check(
        `${name}: all jobs were run`,
        all.every(({ left }) => left === 0),
        all.map(({ left }) => left).join(', '),
      ),
    ),
    raw: Object.fromEntries(measured),
    notes: ['whole pages: written after a checkpoint for each page that is touched first; little here, more in life'],
  }
}

async function measure(server: Server, { system, settings }: Variant, jobs: number): Promise<Bytes> {
  const url = await server.create('wal')
  await systemOf(system).prepare(url)
  await server.checkpoint()
  const bytes = await withClient(url, async (client) => {
    const position = () => number(client, `select pg_current_wal_lsn() - '0/0'::pg_lsn`)
    const pages = () => number(client, 'select wal_fpi from pg_stat_wal')
    const pagesBefore = await pages()
    const begun = await position()
    await fill(system, url, jobs)
    const filled = await position()
    await using worker = startChild('worker', { system, url, settings })
    await worker.heard('ready')
    const deadline = now() + 300_000
    while ((await unfinished(system, url)) > 0 && now() < deadline) await sleep(200)
    const done = await position()
    await worker.ask({ said: 'stop' })
    return {
      enqueue: (filled - begun) / jobs,
      run: (done - filled) / jobs,
      pages: (await pages()) - pagesBefore,
      left: await unfinished(system, url),
    }
  })
  await server.drop('wal')
  return bytes
}

function rowOf(system: string, all: readonly Bytes[]): Row {
  const enqueue = summarize(all.map((bytes) => bytes.enqueue))
  const run = summarize(all.map((bytes) => bytes.run))
  return {
    system,
    'enqueue B/job': enqueue.median,
    'run B/job': run.median,
    'both B/job': enqueue.median + run.median,
    'run min': run.min,
    'run max': run.max,
    'whole pages': summarize(all.map(({ pages }) => pages)).median,
  }
}
