import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { holdLock } from '../support/lock.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { test } from './support.ts'

const stages = useStages()
const alive = (stage: Stage) =>
  stage
    .sql<{ key: number }>('select key from :schema.worker where alive order by key')
    .then((rows) => rows.map(({ key }) => key))

test('a lease that is lost while the worker still starts: it goes on as a new incarnation', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const job = jobs.task({ name: 'job', run() {} })
  const { id } = await jobs.enqueue(job)
  await using marks = await holdLock(stage, 'lock table :schema.mark in access exclusive mode')
  const starting = stage.start(jobs.app({ tasks: [job], lease: '2s' }))
  await until(async () => (await alive(stage)).length > 0, { what: 'it has registered' })
  await stage.sql('update :schema.worker set alive = false, claiming = false')
  await until(async () => (await alive(stage)).length > 0, { what: 'it has registered again' })
  await marks.release()
  const worker = await starting
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1 })
  expect(await alive(stage)).toEqual([worker.key])
})

test('a registration that lands when the worker is gone is taken back', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const worker = await stage.start(jobs.app({ tasks: [jobs.task({ name: 'job', run() {} })], lease: '2s' }))
  const before = worker.key
  await using lease = await holdLock(stage, 'lock table :schema.lease in share row exclusive mode')
  await worker.logged('This worker lost its lease')
  await until(
    async () =>
      (
        await stage.sql(
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into%lease%'`,
        )
      ).length > 0,
    { what: 'it registers again' },
  )
  const gone = worker.shutdown()
  await sleep(100)
  await lease.release()
  await gone
  const rows = () => stage.sql<{ alive: boolean }>('select alive from :schema.worker where key > $1', [before])
  await until(async () => (await rows()).some((row) => !row.alive), { what: 'the second incarnation is over' })
})

test('a worker that leaves a process which stays: what still runs keeps its lease, and runs nowhere else', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const end = Promise.withResolvers<void>()
  let runs = 0
  const deaf = jobs.task({
    name: 'deaf',
    interrupt: 'restart',
    async run() {
      runs++
      await end.promise
    },
  })
  const app = jobs.app({ tasks: [deaf], lease: '2s', shutdown: { grace: '1s' } })
  const leaving = await stage.start(app)
  const { id } = await jobs.enqueue(deaf)
  await until(() => runs === 1, { what: 'it runs' })
  expect(await leaving.shutdown()).toMatchObject({ left: 1 })
  const other = await stage.start(app)
  // Two leases: long enough for the other one to see it run out.
  await sleep(4_000)
  expect(runs).toBe(1)
  expect(await alive(stage)).toEqual([leaving.key, other.key])
  end.resolve()
  await stage.ended(id)
  await until(async () => (await alive(stage)).join() === String(other.key), { what: 'the first one is gone' })
})
