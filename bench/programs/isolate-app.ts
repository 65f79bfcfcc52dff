/** A no-op task in the worker, in a process, in a thread: where it runs is all that differs. */
import { holdfast } from '../../src/index.ts'

const { BENCH_DATABASE: database = '', BENCH_SLOTS = '1' } = process.env
const FOR_GOOD = 1_000_000

export const jobs = holdfast({ database, queues: { bench: {} } })

export const tasks = {
  here: jobs.task({ name: 'here', queue: 'bench', run() {} }),
  process: jobs.task({ name: 'process', queue: 'bench', isolate: { recycleAfter: FOR_GOOD }, run() {} }),
  /** Never ends by itself. */
  loop: jobs.task({
    name: 'loop',
    queue: 'bench',
    isolate: true,
    timeLimit: { soft: '1s', hard: '2s' },
    retry: false,
    run() {
      for (;;);
    },
  }),
  thread: jobs.task({ name: 'thread', queue: 'bench', isolate: { in: 'thread', recycleAfter: FOR_GOOD }, run() {} }),
}

export default jobs.app({ tasks: [tasks], concurrency: Number(BENCH_SLOTS) })
