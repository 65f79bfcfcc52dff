import { expect } from 'vitest'
import { start } from '../../../src/store/claims.ts'
import { complete } from '../../../src/store/settles.ts'
import { placeOf } from '../../support/place.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const NONE = new Set()

test('moves jobs to the history with their results, and closes claims', async ({ store }) => {
  const { id, run, tid, worker, claim } = await store.running({ input: '{"a":1}' })
  const missed = await complete(store.db, [{ id, run, tid, result: '{"b":2}' }], true, { worker, claims: [claim] })
  expect(missed).toEqual(NONE)
  const row = await store.job(id)
  expect(row).toMatchObject({
    table: 'history',
    state: 20,
    run,
    worker,
    input: { a: 1 },
    result: { b: 2 },
    at_most_once: false,
  })
  expect(row['started_at']).not.toBeNull()
  expect(await store.of('ledger', 'worker', worker)).toEqual([])
  expect(await store.of('trail', 'job', id)).toEqual([])
})

test('keeps no row when none is wanted', async ({ store }) => {
  const { id, run, tid, worker } = await store.running()
  expect(await complete(store.db, [{ id, run, tid, result: null }], false, { worker, claims: [] })).toEqual(NONE)
  await expect(store.job(id)).rejects.toThrow()
})

test('names what is not where its claim put it, and closes no claim then', async ({ store }) => {
  const [there, moved] = [await store.running(), await store.running()]
  // Any write moves a row.
  await store.rows('update holdfast.job set version = 2 where id = $1', [moved.id])
  const jobs = [there, moved].map(({ id, run, tid }) => ({ id, run, tid, result: null }))
  const claims = [there.claim]
  expect(await complete(store.db, jobs, true, { worker: there.worker, claims })).toEqual(new Set([moved.id]))
  expect(await store.job(there.id)).toMatchObject({ state: 20 })
  expect(await store.job(moved.id)).toMatchObject({ state: 1 })
  expect(await store.of('ledger', 'worker', there.worker)).toHaveLength(1)
})

test('ends no other job that lies where it is told to look', async ({ store }) => {
  const [gone, other] = [await store.running(), await store.running()]
  const jobs = [{ id: gone.id, run: other.run, tid: other.tid, result: null }]
  expect(await complete(store.db, jobs, true, { worker: gone.worker, claims: [] })).toEqual(new Set([gone.id]))
  expect(await store.job(other.id)).toMatchObject({ state: 1 })
})

test('leaves a job whose start is on record to `finish`, which remembers that', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  const write = { ...job, tid: await placeOf(store.db, job.id), result: null }
  expect(await complete(store.db, [write], true, { worker: job.worker, claims: [] })).toEqual(new Set([job.id]))
  expect(await store.job(job.id)).toMatchObject({ state: 2 })
})

test('writes nothing twice when its answer was lost and it is sent again', async ({ store }) => {
  const { id, run, tid, worker } = await store.running()
  await complete(store.db, [{ id, run, tid, result: '1' }], true, { worker, claims: [] })
  const again = await complete(store.db, [{ id, run, tid, result: '1' }], true, { worker, claims: [] })
  expect(again).toEqual(new Set([id]))
  expect(await store.job(id)).toMatchObject({ state: 20 })
})

refusesStaleFences(async (store, fence) => {
  const write = { ...fence, tid: await placeOf(store.db, fence.id), result: '"stale"' }
  const missed = await complete(store.db, [write], true, { worker: -1, claims: [] })
  return missed.has(fence.id) ? 'refused' : 'written'
}, 'refused')

test('goes to the rows themselves, at a million rows', async ({ store }) => {
  const { ids, runs, tids, worker } = await store.holding(500)
  const plan = await store.plan('complete', [ids, runs, tids, [], true, worker, [1]])
  expectPlan(plan, { uses: ['ledger_pkey'], pages: 2_500 })
})
