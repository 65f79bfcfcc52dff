import { expect } from 'vitest'
import { readStart, start } from '../../../src/store/claims.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

test('tells whether a start stands', async ({ store }) => {
  const [started, held] = [await store.running(), await store.running()]
  await start(store.db, [started])
  expect(await readStart(store.db, [started, held])).toEqual(new Set([started.id]))
})

refusesStaleFences(async ({ db }, fence) => readStart(db, [fence]), new Set())

test("does not take another run's start for its own", async ({ store }) => {
  const job = await store.running({}, 2)
  await start(store.db, [job])
  expect(await readStart(store.db, [{ id: job.id, run: 1 }])).toEqual(new Set())
})

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(100)
  expectPlan(await store.plan('read_start', [ids, runs]), { uses: ['job_pkey'], pages: 600 })
})
