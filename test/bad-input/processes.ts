import { expect } from 'vitest'
import { bystander, culprit } from '../fixtures/apps/culprit.ts'
import { openStage } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import type { Row } from './rows.ts'

interface Deed {
  readonly how: string
  readonly exit: { readonly code?: number; readonly signal?: NodeJS.Signals }
  /** It is the job's own failure, and no neighbour's. */
  readonly failures?: number
  /** What the test does once the deed is done. */
  readonly next?: (worker: WorkerProcess) => void
}

const term = (worker: WorkerProcess) => worker.signal('SIGTERM')
const THROWN: readonly Deed[] = [
  { how: 'unhandled rejection', exit: { code: 1 }, failures: 1 },
  { how: 'uncaught exception', exit: { code: 1 }, failures: 1 },
]
const DONE: readonly Deed[] = [
  { how: 'process.exit', exit: { code: 3 } },
  { how: 'removed signal handlers', exit: { signal: 'SIGTERM' }, next: term },
  { how: 'leaked timers', exit: { code: 0 }, next: term },
]

/** Rows about what code can do to its process: the worker may have to go, but nothing is lost with it. */
export const PROCESSES: readonly Row[] = [
  {
    input: 'unhandled rejections and exceptions in a job',
    check: async (_, { database }) => void (await Promise.all(THROWN.map((deed) => nothingLost(deed, database)))),
  },
  {
    input: 'a job that exits, takes the signals away, or leaks timers',
    check: async (_, { database }) => void (await Promise.all(DONE.map((deed) => nothingLost(deed, database)))),
  },
]

async function nothingLost({ how, exit, failures = 0, next }: Deed, database: string): Promise<void> {
  await using stage = await openStage(database, `deed_${how.replaceAll(/\W/g, '_')}`)
  using witness = createWitness()
  const place = { entry: 'cli' as const, app: 'culprit', database, schema: stage.schema, witness: witness.path }
  const jobs = stage.holdfast()
  await using worker = await startWorkerProcess({ ...place, env: { ROLE: 'first' } })
  const ids = [await jobs.enqueue(culprit, { how })]
  for (let n = 0; n < 5; n++) ids.push(await jobs.enqueue(bystander))
  await until(() => witness.saw('deed').length > 0, { what: `${how} is done` })
  next?.(worker)
  const ended = await worker.exit()
  expect(ended.code ?? ended.signal, how).toBe(exit.code ?? exit.signal)

  await using _heir = await startWorkerProcess({ ...place, env: { ROLE: 'heir' } })
  const [culpritId] = ids
  for (const each of ids) {
    const expected = { state: 'completed', failures: each === culpritId ? failures : 0 }
    expect(await stage.ended(each.id), how).toMatchObject(expected)
  }
}
