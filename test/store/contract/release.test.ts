import { describe, expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { finish, handBack, start } from '../../../src/store/jobs.ts'
import { cancel } from '../../../src/store/operations.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

test('gives the jobs of a revoked worker back in front, and counts a loss', async ({ store }) => {
  const job = await store.running({ input: '[1]' })
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  await revokeWorker(store.db, job.worker, true)
  expect(await store.db.run('release', [job.worker, 'vanished'])).toEqual([{ id: job.id, queue: 'mine' }])
  expect(await store.job(job.id)).toMatchObject({
    state: 0,
    lane: 0,
    run: 1,
    worker: null,
    losses: 1,
    interruptions: 0,
    failures: 0,
  })
  expect(await store.of('checkpoint', 'id', job.id)).toMatchObject([{ items: '3' }])
  expect(await store.of('trail', 'job', job.id)).toMatchObject([
    { run: 1, worker: job.worker, outcome: 'lost', reason: 'vanished', started_at: expect.any(Date) },
  ])
})

test('ends an at-most-once job that had started as lost, with what it had saved', async ({ store }) => {
  const job = await store.running({ input: '[1]' })
  await start(store.db, [job])
  await saveCheckpoint(store.db, job, { items: 3, total: 5, cursor: '3', rate: undefined })
  await cancel(store.db, job.id, { reason: 'r', owner: 'o' })
  await revokeWorker(store.db, job.worker, true)
  expect(await store.db.run('release', [job.worker, 'vanished'])).toEqual([{ id: job.id, queue: null }])
  expect(await store.job(job.id)).toMatchObject({
    ...{
      table: 'history',
      state: 24,
      at_most_once: true,
      losses: 1,
      items: 3,
      total: 5,
      cursor: 3,
      worker: job.worker,
    },
  })
  expect(await store.of('checkpoint', 'id', job.id)).toEqual([])
  expect(await store.of('request', 'id', job.id)).toEqual([])
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ outcome: 'lost' }])
})

describe('leaves', () => {
  test('the jobs of a worker that is alive', async ({ store }) => {
    const job = await store.running()
    expect(await store.db.run('release', [job.worker, 'no'])).toEqual([])
    expect(await store.job(job.id)).toMatchObject({ state: 1, worker: job.worker })
  })

  test("what another worker holds now, though it is still in this one's ledger", async ({ store }) => {
    const job = await store.running()
    await handBack(store.db, [{ ...job, interrupted: false, reason: null }], { worker: job.worker, claims: [] })
    const other = await store.worker()
    await store.claim(other, 1, 9)
    await revokeWorker(store.db, job.worker, true)
    expect(await store.db.run('release', [job.worker, 'no'])).toEqual([])
    expect(await store.job(job.id)).toMatchObject({ state: 1, run: 2, worker: other })
  })

  test('what is ready again, and what has ended', async ({ store }) => {
    const worker = await store.worker()
    await store.enqueued()
    await store.enqueued()
    const [back, ended] = await store.claim(worker, 2)
    const none = { worker, claims: [] }
    await handBack(store.db, [{ id: back?.id ?? '', run: 1, interrupted: true, reason: null }], none)
    await finish(store.db, [{ id: ended?.id ?? '', run: 1, state: 20, result: null, error: null, keep: true }], none)
    await revokeWorker(store.db, worker, true)
    const before = await store.job(back?.id ?? '')
    expect(await store.db.run('release', [worker, 'no'])).toEqual([])
    expect(await store.job(back?.id ?? '')).toEqual(before)
  })
})

test('finds 500 jobs from the ledger among a million', async ({ store }) => {
  const { worker } = await store.holding(500)
  await revokeWorker(store.db, worker, true)
  const plan = await store.plan('release', [worker, 'vanished'])
  expectPlan(plan, { uses: ['ledger_pkey', 'job_pkey'], pages: 15_000 })
})
