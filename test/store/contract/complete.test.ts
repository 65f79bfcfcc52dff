import { expect } from 'vitest'
import { start } from '../../../src/store/claims.ts'
import { complete } from '../../../src/store/settles.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

test('moves jobs to the history with their results, and closes claims', async ({ store }) => {
  const { id, run, worker, claim } = await store.running({ input: '{"a":1}' })
  const ended = await complete(store.db, [{ id, run, result: '{"b":2}' }], true, { worker, claims: [claim] })
  expect(ended).toEqual(new Set([id]))
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
  const { id, run, worker } = await store.running()
  expect(await complete(store.db, [{ id, run, result: null }], false, { worker, claims: [] })).toEqual(new Set([id]))
  await expect(store.job(id)).rejects.toThrow()
})

test('remembers that a job was one that starts at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  await complete(store.db, [{ ...job, result: null }], true, { worker: job.worker, claims: [] })
  expect(await store.job(job.id)).toMatchObject({ state: 20, at_most_once: true })
})

test('writes nothing twice when its answer was lost and it is sent again', async ({ store }) => {
  const { id, run, worker } = await store.running()
  await complete(store.db, [{ id, run, result: '1' }], true, { worker, claims: [] })
  expect(await complete(store.db, [{ id, run, result: '1' }], true, { worker, claims: [] })).toEqual(new Set())
  expect(await store.job(id)).toMatchObject({ state: 20 })
})

refusesStaleFences(
  ({ db }, fence) => complete(db, [{ ...fence, result: '"stale"' }], true, { worker: -1, claims: [] }),
  new Set(),
)

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs, worker } = await store.holding(500)
  const plan = await store.plan('complete', [ids, runs, [], true, worker, [1]])
  expectPlan(plan, { uses: ['job_pkey', 'ledger_pkey'], pages: 4_500 })
})
