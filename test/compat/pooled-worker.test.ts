import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { pauseJob, resumeJob } from '../../src/store/operations.ts'
import { hold, receipt, square, wait } from '../fixtures/apps/pooled.ts'
import { until } from '../support/until.ts'
import { createWitness, type Witness } from '../support/witness.ts'
import { type PooledStage, usePooledStages } from './pooled.ts'
import { POOL_SIZE, startPooler } from './pooler.ts'
import { by, effectsOf, expectWhole, startWorker, underWay, upTo } from './work.ts'

const stages = usePooledStages()
const LEASE_MS = 2_000

test('runs tasks, completes jobs inside their transactions, and is deployed over: SIGTERM hands everything to another worker', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using first = await startWorker(stage, witness, 'first')
  const work = await underWay(stage, witness, 'first')
  const squares = await Promise.all(upTo(50).map((n) => work.jobs.enqueue(square, { n })))
  const receipts = await Promise.all(upTo(10).map(() => work.jobs.enqueue(receipt)))
  const waiting = await work.jobs.enqueue(wait)
  await until(() => by(witness, 'waiting', 'first').length === 1, { what: 'the waiting job runs' })

  first.signal('SIGTERM')
  await using second = await startWorker(stage, witness, 'second')
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
  killed.signal('SIGKILL')
  const since = performance.now()
  await using heir = await startWorker(stage, witness, 'heir')
  await until(() => by(witness, 'batch', 'heir').length > 0, { what: 'the heir goes on' })
  // The lease may be as good as new, and a sweep comes every half a second; what is left is for a busy machine.
  expect(performance.now() - since).toBeLessThan(LEASE_MS + 4_000)
  await expectWhole(stage, witness, work)
  for (const { id } of [work.carried, work.walked]) {
    expect(await stage.find(id)).toMatchObject({ run: 2, interruptions: 0, losses: 1 })
  }
  expect(await stage.leftovers()).toEqual([])
  expect(heir.ended).toBeUndefined()
})

test('a worker that is frozen inside a transaction keeps neither its jobs nor a connection of the pool', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using frozen = await startWorker(stage, witness, 'frozen')
  const work = await underWay(stage, witness, 'frozen')
  const open = `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'`
  await until(
    async () => {
      frozen.signal('SIGSTOP')
      await sleep(50)
      const inside = (await stage.sql(open)).length > 0
      if (!inside) frozen.signal('SIGCONT')
      return inside
    },
    { what: 'it stands still with a transaction open' },
  )
  await using heir = await startWorker(stage, witness, 'heir')
  await until(() => by(witness, 'batch', 'heir').length > 0, { what: 'the heir goes on' })
  expect(await stage.leftovers()).toEqual([])
  frozen.signal('SIGCONT')
  await frozen.logged('goes on as a new incarnation')
  await expectWhole(stage, witness, work)
  for (const { id } of [work.carried, work.walked]) expect(await stage.find(id)).toMatchObject({ run: 2, losses: 1 })
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

/** A worker that hardly ever polls has jobs at once, and is told at once what is asked of them. */
async function expectQuick(
  stage: PooledStage,
  witness: Witness,
  listen: string | undefined,
  database = stage.database,
) {
  const place = { ...stage, database }
  await using worker = await startWorker(place, witness, 'listening', listen, { POLL: '1m' })
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  await stage.ended((await jobs.enqueue(square, { n: 1 })).id)
  await sleep(200) // so that the worker is idle, and not about to look again
  for (const n of upTo(3)) {
    expect(await stage.ended((await jobs.enqueue(square, { n })).id, 5_000)).toMatchObject({ result: n * n })
  }
  const asked = await jobs.enqueue(wait)
  await until(() => witness.saw('waiting').length === 1, { what: 'the job runs' })
  await jobs.cancel(asked.id)
  expect(await stage.ended(asked.id, 5_000)).toMatchObject({ state: 'cancelled' })
  expect(worker.log.filter(({ level }) => level !== 'info')).toEqual([])
}

test('listens at the address of the server itself', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await expectQuick(stage, witness, stage.direct)
  expect(await stage.leftovers()).toEqual([])
})

test('listens through a pooler that keeps a session for each client', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using pooler = await startPooler('session', 20)
  const through = new URL(stage.database)
  through.port = new URL(pooler.urlOf('')).port
  await expectQuick(stage, witness, '', through.href)
})

test('says that it will hear nothing, and polls, when its only address is the pooler', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using worker = await startWorker(stage, witness, 'deaf', '')
  const line = await worker.logged('Notifications do not arrive')
  expect(line).toMatchObject({ level: 'warn', msg: expect.stringContaining('HOLDFAST_LISTEN_URL') })
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  expect(await stage.ended((await jobs.enqueue(square, { n: 3 })).id)).toMatchObject({ result: 9 })
  // What was tried out may stay, where another client had the session in the moment that it was taken back; wake-ups are not listened for.
  const kept = (await stage.leftovers()).map(({ pid: _, ...rest }) => rest)
  for (const { channels, ...rest } of kept) {
    expect(channels).toEqual([`${stage.schema}_probe`])
    expect(Object.values(rest).flat()).toEqual([])
  }
})

test('keeps its lease while the transactions of its jobs hold every connection of the pool', async () => {
  await using stage = await stages()
  using witness = createWitness()
  await using worker = await startWorker(stage, witness, 'crowded', stage.direct)
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const held = await Promise.all(upTo(2 * POOL_SIZE).map(() => jobs.enqueue(hold, { items: 2 })))
  for (const { id } of held) {
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, losses: 0, failures: 0 })
    expect(await effectsOf(stage, id)).toEqual(upTo(2))
  }
  expect(worker.log.filter(({ msg }) => msg.includes('lost its lease'))).toEqual([])
})
