import { expect } from 'vitest'
import { crowdedQueues } from '../../../src/store/claims.ts'
import { expectPlan, test } from './support.ts'

test('tells the queues in which a job is ready, and no others', async ({ store }) => {
  expect(await crowdedQueues(store.db, ['mine', 'nobodys'])).toEqual([])
  await store.enqueued()
  expect(await crowdedQueues(store.db, ['mine', 'nobodys'])).toEqual(['mine'])
  expect(await crowdedQueues(store.db, [])).toEqual([])
})

test('a job that runs, and one that waits for its time, crowd nothing', async ({ store }) => {
  await store.enqueued({ after: { kind: 'delay', ms: 30_000 } })
  await store.running()
  expect(await crowdedQueues(store.db, ['mine'])).toEqual([])
})

test.for(['mine', 'nobodys'])('reads the first entry of job_ready of %s', async (queue, { store }) => {
  expectPlan(await store.plan('crowded_queues', [[queue]]), { uses: ['job_ready'], pages: 30 })
})
