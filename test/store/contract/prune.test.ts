import { expect } from 'vitest'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { prune } from '../../../src/store/partitions.ts'
import { fanOut } from '../../../src/store/parts.ts'
import { publishMarks } from '../../../src/store/upkeep.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { type Store, test } from './support.ts'

const HOUR = 3_600_000
const by = { reason: 'r', owner: 'o' }
const workers = (store: Store, key: number) => store.rows('select * from holdfast.worker where key = $1', [key])

test('deletes what fell into the default partitions and is older than is kept', async ({ store }) => {
  // Its own table: the million are older than the hour that this keeps.
  await store.rows('create temp table kept as select * from holdfast.history limit 0')
  const insert = (id: string, age: string) =>
    store.rows(
      `insert into holdfast.history (id, created_at, ended_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
      values ($1, now(), now() - $2::interval, 1, 0, 0, 0, 0, 20, 5, 1, 'mine', 'common')`,
      [id, age],
    )
  const [old, recent] = [crypto.randomUUID(), crypto.randomUUID()]
  await insert(old, '30 days')
  await insert(recent, '1 day')
  await store.rows(
    `insert into holdfast.trail (job, run, outcome, ended_at) values ($1, 1, 'failed', now() - interval '30 days')`,
    [old],
  )
  for (const [id, age] of [
    [old, '30 days'],
    [recent, '1 day'],
  ]) {
    await store.rows(
      `insert into holdfast.tail (job, run, started_at, said, lines) values ($1, 1, now() - $2::interval, 0, '[]')`,
      [id, age],
    )
  }
  await prune(store.db, 20 * 24 * HOUR)
  await expect(store.job(old)).rejects.toThrow()
  expect(await store.job(recent)).toMatchObject({ table: 'history' })
  expect(await store.of('trail', 'job', old)).toEqual([])
  expect(await store.of('tail', 'job', old)).toEqual([])
  expect(await store.of('tail', 'job', recent)).toHaveLength(1)
})

test('forgets workers that are gone, once nothing of theirs is left', async ({ store }) => {
  const [alive, gone, holding] = [await store.worker(), await store.worker(), await store.running()]
  for (const worker of [gone, holding.worker]) await revokeWorker(store.db, worker, true)
  await store.rows(`update holdfast.worker set ended_at = now() - interval '30 days' where not alive`)
  await prune(store.db, 20 * 24 * HOUR)
  expect(await workers(store, gone)).toHaveLength(1)
  await store.db.run('forget_released', [gone])
  await prune(store.db, 20 * 24 * HOUR)
  expect(await workers(store, gone)).toEqual([])
  expect(await workers(store, alive)).toHaveLength(1)
  expect(await workers(store, holding.worker)).toHaveLength(1)
})

test('forgets marks that nobody raises, requests that nobody can answer, parts of what has ended', async ({
  store,
}) => {
  const [job, root] = [await store.running(), await store.running()]
  const mark = (queue: string) => ({ queue, lane: 1, priority: 5, position: 1 })
  await publishMarks(store.db, 'set', ['common'], [mark('old'), mark('new')])
  await store.rows(`update holdfast.mark set updated_at = now() - interval '8 days' where queue = 'old'`)
  await cancel(store.db, job.id, by)
  const id = crypto.randomUUID()
  const { id: retrying } = await store.enqueued({ after: { kind: 'delay', ms: HOUR } })
  for (const asked of [id, retrying]) {
    await store.rows(`insert into holdfast.request (id, action, reason, owner) values ($1, 'cancel', 'r', 'o')`, [
      asked,
    ])
  }
  await store.rows(`update holdfast.request set created_at = now() - interval '2 hours' where id = any($1)`, [
    [job.id, id, retrying],
  ])
  await fanOut(store.db, root, ['01990000-0000-7000-8000-000000000001'])
  await store.rows(`update holdfast.part set created_at = now() - interval '30 days' where root = $1`, [root.id])

  await prune(store.db, 20 * 24 * HOUR)
  expect((await store.of('mark', 'accepts', 'set')).map(({ queue }) => queue)).toEqual(['new'])
  expect(await store.of('request', 'id', job.id)).toHaveLength(1)
  expect(await store.of('request', 'id', id)).toEqual([])
  // It will run again, and be told then.
  expect(await store.of('request', 'id', retrying)).toHaveLength(1)
  expect(await store.of('part', 'root', root.id)).toHaveLength(2)

  // A part that rests is not over.
  await pauseJob(store.db, '01990000-0000-7000-8000-000000000001', by, HOUR)
  await store.rows('delete from holdfast.job where id = $1', [root.id])
  await prune(store.db, 20 * 24 * HOUR)
  expect(await store.of('part', 'root', root.id)).toHaveLength(2)
  await store.rows('delete from holdfast.waiting where id = $1', ['01990000-0000-7000-8000-000000000001'])
  await prune(store.db, 20 * 24 * HOUR)
  expect(await store.of('part', 'root', root.id)).toEqual([])
})

test('never reads the jobs from end to end', async ({ store }) => {
  const { scans } = await store.plan('prune', [20 * 24 * HOUR, 1_000])
  expect(scans.filter(({ table, node }) => node.includes('Seq') && ['job', 'waiting'].includes(table))).toEqual([])
})
