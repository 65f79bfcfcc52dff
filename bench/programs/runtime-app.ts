/** The app of the `runtime` case: what its code does, and when, goes to a file that outlives every process. */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdfast } from '../../src/index.ts'
import { range } from '../../src/sources.ts'
import { now } from '../support/clock.ts'

const { BENCH_DATABASE: database = '', BENCH_WITNESS: witness = '', BENCH_LEASE: lease = '12s' } = process.env
const ENDLESS = 1_000_000_000
/** Items of the walk: as long as the promise about a shutdown allows. */
const ITEM_MS = 50
/** Three of the leases that this app is given for it. */
const BLOCK_MS = 6_500

export const jobs = holdfast({ database, queues: { bench: {}, walks: {}, heap: {} } })

function tell(what: string, job: { readonly id: string; readonly run: number }): void {
  appendFileSync(witness, `${JSON.stringify({ what, job: job.id, run: job.run, at: now(), pid: process.pid })}\n`)
}

function spinFor(ms: number): void {
  for (const until = now() + ms; now() < until; );
}

export const tasks = {
  noop: jobs.task({ name: 'noop', queue: 'bench', run() {} }),
  walk: jobs.iteration({
    name: 'walk',
    queue: 'walks',
    checkpoint: 'periodic',
    items: () => range(0, ENDLESS),
    each: async (_, { job }) => {
      tell('item', job)
      await sleep(ITEM_MS)
    },
  }),
  spin: jobs.task({
    name: 'spin',
    queue: 'bench',
    retry: false,
    timeLimit: { soft: '1s', hard: '2s' },
    run(_, { job }) {
      tell('begin', job)
      spinFor(60_000)
    },
  }),
  alone: jobs.task({
    name: 'alone',
    queue: 'bench',
    retry: false,
    isolate: true,
    timeLimit: { soft: '1s', hard: '2s' },
    run(_, { job }) {
      tell('begin', job)
      for (;;) {
        spinFor(5)
        tell('alive', job)
      }
    },
  }),
  block: jobs.task({
    name: 'block',
    queue: 'bench',
    retry: false,
    timeLimit: { soft: '20s', hard: '25s' },
    run(_, { job }) {
      tell('begin', job)
      spinFor(BLOCK_MS)
      tell('end', job)
    },
  }),
}

export default jobs.app({ tasks: [tasks], lease: lease as '12s' })
