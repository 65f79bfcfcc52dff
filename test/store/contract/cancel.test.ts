import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { finish, handBack } from '../../../src/store/settles.ts'
import { expectPlan, readyIds, somewhere, test } from './support.ts'

const by = { reason: 'not needed', owner: 'ann' }

test('ends a ready job, with its progress', async ({ store }) => {
  const job = await store.running({ input: '[1]' })
  await saveCheckpoint(store.db, job, { items: 4, total: 9, cursor: '"c"', rate: undefined })
  await handBack(store.db, [{ ...job, interrupted: true, reason: 'deploy' }], { worker: job.worker, claims: [] })
  expect(await cancel(store.db, job.id, by)).toBe('ready')
  expect(await store.job(job.id)).toMatchObject({
    ...{ table: 'history', state: 22, run: 1, interruptions: 1, input: [1], items: 4, total: 9, cursor: 'c' },
  })
  expect(await store.of('checkpoint', 'id', job.id)).toEqual([])
  expect(await store.of('trail', 'job', job.id)).toContainEqual(
    expect.objectContaining({ outcome: 'cancelled', reason: by.reason }),
  )
})

test('ends a waiting job', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 60_000 } })
  expect(await cancel(store.db, id, by)).toBe('waiting')
  expect(await store.job(id)).toMatchObject({ table: 'history', state: 22, run: 0 })
})

test('asks a running job to stop, whatever was asked before', async ({ store }) => {
  const job = await store.running()
  await pauseJob(store.db, job.id, { reason: 'rest', owner: 'bob' }, 1_000)
  expect(await cancel(store.db, job.id, by)).toBe('running')
  expect(await store.job(job.id)).toMatchObject({ table: 'job', state: 1 })
  expect(await store.of('request', 'id', job.id)).toMatchObject([{ action: 'cancel', ...by, until: null }])
})

test('forgets what was asked of an earlier run of the job that it ends', async ({ store }) => {
  const job = await store.running()
  await cancel(store.db, job.id, by)
  await handBack(store.db, [{ ...job, interrupted: true, reason: 'deploy' }], { worker: job.worker, claims: [] })
  expect(await cancel(store.db, job.id, by)).toBe('ready')
  expect(await store.of('request', 'id', job.id)).toEqual([])
})

test('leaves what has ended, and what nobody knows', async ({ store }) => {
  const job = await store.running()
  await finish(store.db, [{ ...job, state: 20, result: null, error: null, keep: true }], {
    worker: job.worker,
    claims: [],
  })
  expect(await cancel(store.db, job.id, by)).toBeUndefined()
  expect(await store.job(job.id)).toMatchObject({ state: 20 })
  expect(await cancel(store.db, crypto.randomUUID(), by)).toBeUndefined()
})

test('finds everything by its key, at a million rows', async ({ store }) => {
  const plan = await store.plan('cancel', [readyIds(10, somewhere()), 'r', 'o'])
  expectPlan(plan, { uses: ['job_pkey', 'waiting_pkey', 'checkpoint_pkey'], pages: 140, dead: 280 })
})
