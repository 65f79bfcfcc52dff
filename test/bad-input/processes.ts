import { expect } from 'vitest'
import { bystander, culprit } from '../fixtures/apps/culprit.ts'
import { openStage } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import type { Row } from './rows.ts'

interface Deed {
  readonly how: string
  /** It is the job's own failure, and no neighbour's. */
  readonly failures?: number
  /** Its worker process goes on with it, until it is stopped; else it is replaced. */
  readonly stays?: boolean
}

const THROWN: readonly Deed[] = [
  { how: 'unhandled rejection', failures: 1 },
  { how: 'uncaught exception', failures: 1 },
]
const DONE: readonly Deed[] = [
  { how: 'process.exit' },
  { how: 'removed signal handlers', stays: true },
  { how: 'leaked timers', stays: true },
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

async function nothingLost({ how, failures = 0, stays = false }: Deed, database: string): Promise<void> {
  await using stage = await openStage(database, `deed_${how.replaceAll(/\W/g, '_')}`)
  using witness = createWitness()
  const place = { entry: 'cli' as const, app: 'culprit', database, schema: stage.schema, witness: witness.path }
  const jobs = stage.holdfast()
  await using worker = await startWorkerProcess(place)
  const ids = [await jobs.enqueue(culprit, { how })]
  for (let n = 0; n < 5; n++) ids.push(await jobs.enqueue(bystander))
  await until(() => witness.saw('deed').length > 0, { what: `${how} is done` })
  if (stays) await leaves(worker, how)
  await using heir = stays ? await startWorkerProcess(place) : worker
  const [culpritId] = ids
  for (const each of ids) {
    const expected = { state: 'completed', failures: each === culpritId ? failures : 0 }
    expect(await stage.ended(each.id), how).toMatchObject(expected)
  }
  const starts = heir.log.filter((line) => line.msg === 'Worker started').length
  expect(starts, how).toBe(stays ? 1 : 2)
  await leaves(heir, how)
}

async function leaves(worker: WorkerProcess, how: string): Promise<void> {
  worker.signal('SIGTERM')
  expect(await worker.exit(), how).toMatchObject({ code: 0 })
}
