import { expect } from 'vitest'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { handBack } from '../../../src/store/settles.ts'
import { requestsFor } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

const by = { reason: 'why', owner: 'ann' }

test('tells what was asked of the jobs that a worker runs', async ({ store }) => {
  const job = await store.running()
  await pauseJob(store.db, job.id, by, 60_000)
  expect(await requestsFor(store.db, job.worker)).toEqual([
    { id: job.id, run: 1, action: 'pause', reason: 'ann: why', until: expect.any(Date) },
  ])
  await cancel(store.db, job.id, by)
  expect(await requestsFor(store.db, job.worker)).toMatchObject([{ action: 'cancel', until: null }])
})

test('keeps a request for the next run, on whichever worker', async ({ store }) => {
  const job = await store.running()
  await cancel(store.db, job.id, by)
  await handBack(store.db, [{ ...job, interrupted: true, reason: 'deploy' }], { worker: job.worker, claims: [] })
  expect(await requestsFor(store.db, job.worker)).toEqual([])
  const other = await store.worker()
  await store.claim(other, 1, 9)
  expect(await requestsFor(store.db, job.worker)).toEqual([])
  expect(await requestsFor(store.db, other)).toMatchObject([{ id: job.id, run: 2, action: 'cancel' }])
})

test('looks up the few jobs that something was asked of, at a million rows', async ({ store }) => {
  const { worker, ids } = await store.holding(50)
  for (const id of ids) await cancel(store.db, id, by)
  expectPlan(await store.plan('requests_for', [worker]), { uses: ['job_pkey'], pages: 5_000 })
})
