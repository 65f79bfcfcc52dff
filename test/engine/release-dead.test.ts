import pg from 'pg'
import { expect } from 'vitest'
import { releaseDead } from '../../src/deploy/supervisor/release.ts'
import { claim } from '../../src/store/claims.ts'
import type { Database } from '../../src/store/db.ts'
import { registerWorker } from '../../src/store/workers.ts'
import { holdLock } from '../support/lock.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { test } from './support.ts'

const stages = useStages()
const HOW = { outcome: 'crashed', reason: 'its process died' } as const
const bands = [{ lane: 1, priority: 5, mark: 0, most: 10 }]

/** A worker that has died with two jobs. */
async function aDeadWorker(stage: Stage) {
  const jobs = stage.holdfast()
  const t = jobs.task({ name: 't', run: () => {} })
  const ids = [(await jobs.enqueue(t)).id, (await jobs.enqueue(t)).id]
  const names = { name: 'w', build: 'b', release: '0', tasks: ['t'], queues: ['default'], manifest: {}, lease: 600_000 }
  const worker = await registerWorker(stage.db, names)
  const take = (number: number) =>
    claim(stage.db, { worker, claim: number, queue: 'default', tasks: '{t}', most: 10, bands })
  expect(await take(1)).toHaveLength(2)
  return { ids, worker, take }
}

test('the jobs of a dead process are given back at once, whoever listens is told, and it can claim nothing any more', async () => {
  await using stage = await stages()
  const { ids, worker, take } = await aDeadWorker(stage)
  const listener = new pg.Client({ connectionString: stage.database })
  await listener.connect()
  const heard: (string | undefined)[] = []
  listener.on('notification', ({ payload }) => heard.push(payload))
  await listener.query(`listen "${stage.db.channel}"`)
  const freed: string[] = []
  expect(await releaseDead(stage.db, worker, HOW, 1_000, ({ id }) => freed.push(id))).toEqual({ jobs: 2, left: 0 })
  expect(freed.sort()).toEqual([...ids].sort())
  for (const id of ids) expect(await stage.find(id)).toMatchObject({ state: 'ready', crashes: 1 })
  await until(() => heard.includes('default'), { deadline: 10_000, what: 'the queue is woken' })
  await listener.end()
  expect(await take(2)).toEqual([])
})

test('that nobody can be told of it leaves no job behind', async () => {
  await using stage = await stages()
  const { ids, worker } = await aDeadWorker(stage)
  let untold = 0
  const run = (...[name, values]: Parameters<Database['run']>) => {
    if (name !== 'wake') return stage.db.run(name, values)
    untold++
    return Promise.reject(new Error('a hint is lost'))
  }
  const db = new Proxy(stage.db, { get: (target, name) => (name === 'run' ? run : Reflect.get(target, name)) })
  expect(await releaseDead(db, worker, HOW, 1_000)).toEqual({ jobs: 2, left: 0 })
  expect(untold).toBe(1)
  for (const id of ids) expect(await stage.find(id)).toMatchObject({ state: 'ready' })
})

test('a job that a transaction of the dead still hides is asked for again, as long as there is time', async () => {
  await using stage = await stages()
  const { ids, worker } = await aDeadWorker(stage)
  await using lock = await holdLock(stage, 'select from :schema.job where id = $1 for update', [ids[0]])
  expect(await releaseDead(stage.db, worker, HOW, 100)).toEqual({ jobs: 1, left: 1 })
  const again = releaseDead(stage.db, worker, HOW, 10_000)
  await lock.release()
  expect(await again).toEqual({ jobs: 1, left: 0 })
  for (const id of ids) expect(await stage.find(id)).toMatchObject({ state: 'ready', crashes: 1 })
})

test('also when it is let go in the middle of it', async () => {
  await using stage = await stages()
  const { ids, worker } = await aDeadWorker(stage)
  await using lock = await holdLock(stage, 'select from :schema.job where id = $1 for update', [ids[0]])
  let freed = 0
  const released = releaseDead(stage.db, worker, HOW, 10_000, () => freed++)
  await until(() => freed > 0, { deadline: 10_000, what: 'the other one is given back' })
  await lock.release()
  expect(await released).toEqual({ jobs: 2, left: 0 })
})
