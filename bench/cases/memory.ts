import type { Bench, BenchCase } from '../support/case.ts'
import { type Message, startChild } from '../support/child.ts'
import { now } from '../support/clock.ts'
import { check, type Row } from '../support/result.ts'
import { settle } from '../support/server.ts'
import { fill, unfinished } from '../support/slice.ts'
import { summarize } from '../support/statistics.ts'
import { holdfast } from '../systems/holdfast.ts'

interface Reading {
  readonly jobs: number
  readonly rssMb: number
  readonly heapMb: number
}

type Pair = { readonly idle: Reading; readonly first: Reading; readonly last: Reading }

export const memory: BenchCase = {
  name: 'memory',
  what: 'memory of one worker process after 100,000 and after 1,000,000 jobs',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const [few, many] = quick ? [10_000, 100_000] : [100_000, 1_000_000]
  const all: Pair[] = []
  const left: number[] = []
  for (let n = 0; n < Math.min(pairs, 3); n++) {
    const url = await server.create('memory')
    await holdfast.prepare(url)
    const settings = { inFlight: 500 }
    await using worker = startChild('worker', { system: 'holdfast', url, settings }, ['--expose-gc'])
    await worker.heard('ready')
    const read = async (jobs: number): Promise<Reading> => {
      // Everything at once, so that it meets a heap of waiting jobs as well as a long life.
      await fill('holdfast', url, jobs)
      await untilEmpty(url)
      return megabytes(await worker.ask({ said: 'gc' }))
    }
    const idle = await read(0)
    const first = await read(few)
    await settle(server, url)
    const last = await read(many - few)
    all.push({ idle, first, last })
    left.push(await unfinished('holdfast', url))
    say(`after ${first.jobs}: ${first.rssMb.toFixed(1)} MB; after ${last.jobs}: ${last.rssMb.toFixed(1)} MB`)
    await worker.ask({ said: 'stop' })
  }
  await server.drop('memory')

  const growth = summarize(all.map(({ first, last }) => last.rssMb - first.rssMb))
  return {
    settings: { few, many, inFlight: 500, gc: 'three full collections before each reading' },
    rows: [
      rowOf(
        'no job',
        all.map(({ idle }) => idle),
      ),
      rowOf(
        `${few} jobs`,
        all.map(({ first }) => first),
      ),
      rowOf(
        `${many} jobs`,
        all.map(({ last }) => last),
      ),
    ],
    targets: [
      {
        what: 'resident memory more',
        measured: growth.median,
        unit: ' MB',
        needed: 20,
        bound: 'at most' as const,
        spread: growth,
      },
    ],
    checks: [
      check(
        'all jobs were run',
        all.every(({ last }) => last.jobs === many) && left.every((count) => count === 0),
        all.map(({ last }) => last.jobs).join(', '),
      ),
    ],
    raw: all,
  }
}

async function untilEmpty(url: string): Promise<void> {
  const deadline = now() + 300_000
  while ((await unfinished('holdfast', url)) > 0) {
    if (now() > deadline) throw new Error('the jobs are not done after five minutes')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function megabytes({ jobs, rss, heap }: Message & { jobs?: number; rss?: number; heap?: number }): Reading {
  return { jobs: jobs ?? 0, rssMb: (rss ?? Number.NaN) / 2 ** 20, heapMb: (heap ?? Number.NaN) / 2 ** 20 }
}

function rowOf(after: string, readings: readonly Reading[]): Row {
  const rss = summarize(readings.map(({ rssMb }) => rssMb))
  return {
    after,
    'RSS MB': rss.median,
    min: rss.min,
    max: rss.max,
    'heap MB': summarize(readings.map(({ heapMb }) => heapMb)).median,
  }
}
