import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { pauseJob, resumeJob } from '../../src/store/operations.ts'
import { carry, receipt, square, wait, walk } from '../fixtures/apps/pooled.ts'
import { until } from '../support/until.ts'
import { createWitness, type Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import { type PooledStage, usePooledStages } from './pooled.ts'

const stages = usePooledStages()
const LEASE_MS = 2_000

/** A worker process behind the pooler. `listen`: an address, or `off`. */
function startWorker(
  stage: PooledStage,
  witness: Witness,
  role: string,
  listen = 'off',
  env = {},
): Promise<WorkerProcess> {
  return startWorkerProcess({
    app: 'pooled',
    database: stage.database,
    schema: stage.schema,
    witness: witness.path,
    env: { ROLE: role, HOLDFAST_LISTEN_URL: listen, ...env },
  })
}

async function effectsOf(stage: PooledStage, job: string): Promise<number[]> {
  const rows = await stage.sql<{ item: number }>('select item from effect where job = $1 order by item', [job])
  return rows.map(({ item }) => item)
}

const upTo = (items: number) => Array.from({ length: items }, (_, item) => item)
const by = (witness: Witness, what: string, role: string) =>
  witness.saw(what).filter((sighting) => sighting['role'] === role)

/** The long jobs, in the middle of their way on the worker called `role`. */
async function underWay(stage: PooledStage, witness: Witness, role: string) {
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const carried = await jobs.enqueue(carry, { items: 600 })
  const walked = await jobs.enqueue(walk, { items: 1_000 })
  await until(() => by(witness, 'batch', role).length >= 10 && by(witness, 'step', role).length >= 50, {
    what: `iterations run on ${role}`,
  })
  return { jobs, carried, walked }
}

async function expectWhole(
  stage: PooledStage,
  witness: Witness,
  { carried, walked }: Awaited<ReturnType<typeof underWay>>,
) {
  expect(await stage.ended(carried.id)).toMatchObject({ state: 'completed', failures: 0, items: 120 })
  expect(await effectsOf(stage, carried.id)).toEqual(upTo(600))
  expect(await stage.ended(walked.id)).toMatchObject({ state: 'completed', failures: 0, items: 1_000 })
  expect(new Set(witness.saw('step').map((sighting) => sighting['item'])).size).toBe(1_000)
}

test('runs tasks, completes jobs inside their transactions, and is deployed over: SIGTERM hands everything to another worker', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using first = await startWorker(stage, witness, 'first')
  const work = await underWay(stage, witness, 'first')
  const squares = await Promise.all(upTo(50).map((n) => work.jobs.enqueue(square, { n })))
  const receipts = await Promise.all(upTo(10).map(() => work.jobs.enqueue(receipt)))
  const waiting = await work.jobs.enqueue(wait)
  await until(() => by(witness, 'waiting', 'first').length === 1, { what: 'the waiting job runs' })

  await using second = await startWorker(stage, witness, 'second')
  first.signal('SIGTERM')
  expect(await first.exit()).toMatchObject({ code: 0 })
  expect(first.log).toContainEqual(expect.objectContaining({ msg: 'left', left: 0 }))
  await until(() => by(witness, 'waiting', 'second').length === 1, { what: 'the second worker has the waiting job' })
  await expectWhole(stage, witness, work)
  for (const { id } of [work.carried, work.walked]) {
    expect(await stage.find(id)).toMatchObject({ run: 2, interruptions: 1, losses: 0 })
  }
  for (const [n, { id }] of squares.entries())
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: n * n })
  for (const { id } of receipts) {
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, result: 'written' })
    expect(await effectsOf(stage, id)).toEqual([0])
  }
  expect(await stage.find(waiting.id)).toMatchObject({ state: 'running', run: 2, interruptions: 1 })
  expect(await stage.leftovers()).toEqual([])

  second.signal('SIGTERM')
  expect(await second.exit()).toMatchObject({ code: 0 })
  expect(await stage.reached(waiting.id, 'ready')).toMatchObject({ run: 2, interruptions: 2 })
  expect(await stage.leftovers()).toEqual([])
})

test('a worker that is killed loses its jobs to another one after its lease, and no effect is there twice', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using killed = await startWorker(stage, witness, 'killed')
  const work = await underWay(stage, witness, 'killed')
  await using heir = await startWorker(stage, witness, 'heir')
  killed.signal('SIGKILL')
  const since = performance.now()
  await until(() => by(witness, 'batch', 'heir').length > 0, { what: 'the heir goes on' })
  // The lease may be as good as new, and a sweep comes every half a second.
  expect(performance.now() - since).toBeLessThan(LEASE_MS + 1_500)
  await expectWhole(stage, witness, work)
  for (const { id } of [work.carried, work.walked]) {
    expect(await stage.find(id)).toMatchObject({ run: 2, interruptions: 0, losses: 1 })
  }
  expect(await stage.leftovers()).toEqual([])
  expect(heir.ended).toBeUndefined()
})

test('cancels what runs and what waits, pauses and resumes', async () => {
  await using stage = await stages()
  using witness = createWitness()
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const [later, running] = [await jobs.enqueue(wait, undefined, { after: '1h' }), await jobs.enqueue(wait)]
  await using worker = await startWorker(stage, witness, 'only')
  const { carried } = await underWay(stage, witness, 'only')
  await until(() => witness.saw('waiting').length === 1, { what: 'the job runs' })

  expect(await jobs.cancel(later.id)).toEqual({ cancelled: 1 })
  expect(await jobs.cancel(running.id)).toEqual({ cancelled: 1 })
  expect(await stage.ended(later.id)).toMatchObject({ state: 'cancelled', run: 0 })
  expect(await stage.ended(running.id)).toMatchObject({ state: 'cancelled', run: 1 })

  expect(await pauseJob(stage.db, carried.id, { reason: 'test', owner: 'test' }, 60_000)).toBe('running')
  const paused = await stage.reached(carried.id, 'paused')
  expect(paused.items).toBeGreaterThan(0)
  expect(await effectsOf(stage, carried.id)).toEqual(upTo((paused.items ?? 0) * 5))
  expect(await resumeJob(stage.db, carried.id)).toEqual({ queue: 'default' })
  expect(await stage.ended(carried.id)).toMatchObject({ state: 'completed', run: 2, failures: 0, items: 120 })
  expect(await effectsOf(stage, carried.id)).toEqual(upTo(600))
  expect(worker.ended).toBeUndefined()
})

test('listens at the address of the server itself: a worker that hardly ever polls has a job at once', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using worker = await startWorker(stage, witness, 'listening', stage.direct, { POLL: '1m' })
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  await stage.ended((await jobs.enqueue(square, { n: 1 })).id)
  await sleep(200) // so that the worker is idle, and not about to look again
  for (const n of upTo(3))
    expect(await stage.ended((await jobs.enqueue(square, { n })).id, 5_000)).toMatchObject({ result: n * n })
  const asked = await jobs.enqueue(wait)
  await until(() => witness.saw('waiting').length === 1, { what: 'the job runs' })
  await jobs.cancel(asked.id)
  expect(await stage.ended(asked.id, 5_000)).toMatchObject({ state: 'cancelled' })
  expect(await stage.leftovers()).toEqual([])
  expect(worker.ended).toBeUndefined()
})
