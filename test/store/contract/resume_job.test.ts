import { expect } from 'vitest'
import { pauseJob, resumeJob } from '../../../src/store/operations.ts'
import { expectPlan, readyIds, test } from './support.ts'

const by = { reason: 'r', owner: 'o' }

test('makes a paused job ready, in front', async ({ store }) => {
  const { id } = await store.enqueued({ input: '[1]' })
  await store.rows('update holdfast.job set run = 2, failures = 1 where id = $1', [id])
  await pauseJob(store.db, id, by, 60_000)
  expect(await resumeJob(store.db, id)).toEqual({ queue: 'mine' })
  expect(await store.job(id)).toMatchObject({ table: 'job', state: 0, lane: 0, input: [1], run: 2, failures: 1 })
})

test('takes back a pause that the run has not seen', async ({ store }) => {
  const job = await store.running()
  await pauseJob(store.db, job.id, by, 60_000)
  expect(await resumeJob(store.db, job.id)).toEqual({ queue: null })
  expect(await store.of('request', 'id', job.id)).toEqual([])
  expect(await store.job(job.id)).toMatchObject({ state: 1 })
})

test('leaves a job that waits for something else', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 60_000 } })
  expect(await resumeJob(store.db, id)).toBeUndefined()
  expect(await store.job(id)).toMatchObject({ table: 'waiting', state: 10 })
})

test('leaves ready and running jobs, and a request to end', async ({ store }) => {
  const [ready, job] = [await store.enqueued(), await store.running({ queue: 'other' })]
  await store.rows(`insert into holdfast.request (id, action, reason, owner) values ($1, 'cancel', 'r', 'o')`, [job.id])
  expect(await resumeJob(store.db, ready.id)).toBeUndefined()
  expect(await resumeJob(store.db, job.id)).toBeUndefined()
  expect(await store.of('request', 'id', job.id)).toHaveLength(1)
})

test('finds everything by its key, among many', async ({ store }) => {
  const [id] = readyIds(1)
  await pauseJob(store.db, id as string, by, 60_000)
  const plan = await store.plan('resume_job', [id])
  expectPlan(plan, { uses: ['waiting_pkey', 'request_pkey'], pages: 40 })
})
