import { expect } from 'vitest'
import { start } from '../../../src/store/claims.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

test('records the start of a run', async ({ store }) => {
  const job = await store.running()
  expect(await start(store.db, [job])).toEqual(new Set([job.id]))
  expect(await store.job(job.id)).toMatchObject({ state: 2, run: job.run })
})

test('refuses a second start, by the same run too', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  expect(await start(store.db, [job])).toEqual(new Set())
})

refusesStaleFences(async ({ db }, fence) => start(db, [fence]), new Set())

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(100)
  expectPlan(await store.plan('start', [ids, runs]), { uses: ['job_pkey'], pages: 1_800 })
})
