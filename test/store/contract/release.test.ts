import { describe, expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { cancel } from '../../../src/store/operations.ts'
import { finish, handBack } from '../../../src/store/settles.ts'
import { releaseWorker, revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

test('gives the jobs of a revoked worker back in front, and counts a loss', async ({ store }) => {
  const job = await store.running({ input: '[1]' })
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  await revokeWorker(store.db, job.worker, true)
  expect(await store.db.run('release', [job.worker, 'vanished', 'lost', null])).toEqual([
    { id: job.id, queue: 'mine', task: 'common', interruptions: 0, fruitless: 0, resumes: true },
  ])
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
  expect(await store.db.run('release', [job.worker, 'vanished', 'lost', null])).toMatchObject([
    { id: job.id, queue: null },
  ])
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

test('counts a crash of a process that died of itself, and tells what it died of', async ({ store }) => {
  const job = await store.running()
  await revokeWorker(store.db, job.worker, true)
  const cause = { signal: 'SIGSEGV', worker: 'w' }
  const { freed } = await releaseWorker(store.db, job.worker, { outcome: 'crashed', reason: 'SIGSEGV', error: cause })
  expect(freed).toMatchObject([{ id: job.id, queue: 'mine', resumes: false }])
  expect(await store.job(job.id)).toMatchObject({ state: 0, crashes: 1, losses: 0, interruptions: 0 })
  expect(await store.of('trail', 'job', job.id)).toMatchObject([
    { outcome: 'crashed', reason: 'SIGSEGV', error: cause, items: null },
  ])
})

test('counts an interruption of a process that was told to go', async ({ store }) => {
  const job = await store.running()
  await revokeWorker(store.db, job.worker, true)
  const { freed } = await releaseWorker(store.db, job.worker, { outcome: 'interrupted', reason: 'deploy' })
  expect(freed).toMatchObject([{ id: job.id, interruptions: 1, fruitless: 1 }])
  expect(await store.job(job.id)).toMatchObject({ state: 0, crashes: 0, losses: 0, interruptions: 1 })
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ outcome: 'interrupted', error: null }])
})

test.for(['lost', 'crashed', 'interrupted'] as const)(
  'progress clears the crashes before it: %s',
  async (outcome, { store }) => {
    const job = await store.running()
    await store.rows('update holdfast.job set crashes = 7 where id = $1', [job.id])
    await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
    await revokeWorker(store.db, job.worker, true)
    await releaseWorker(store.db, job.worker, { outcome, reason: 'r' })
    expect(await store.job(job.id)).toMatchObject({ crashes: outcome === 'crashed' ? 1 : 0 })
    expect(await store.of('trail', 'job', job.id)).toMatchObject([{ outcome, items: '3' }])
  },
)

test('progress of an earlier run clears nothing', async ({ store }) => {
  const job = await store.running({}, 2)
  await store.rows('update holdfast.job set crashes = 7 where id = $1', [job.id])
  await store.rows('insert into holdfast.checkpoint (id, run, items, cursor, moved) values ($1, 1, 3, $2, 1)', [
    job.id,
    '3',
  ])
  // The same place, saved again, and a count without a cursor move nothing on.
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  await saveCheckpoint(store.db, job, { items: 4, total: undefined, cursor: 'null', rate: undefined })
  await revokeWorker(store.db, job.worker, true)
  await releaseWorker(store.db, job.worker, { outcome: 'crashed', reason: 'r' })
  expect(await store.job(job.id)).toMatchObject({ crashes: 8 })
})

test.for([
  ['crashed', 24, { crashes: 1, losses: 0, interruptions: 0 }],
  ['interrupted', 25, { crashes: 0, losses: 0, interruptions: 1 }],
] as const)('ends an at-most-once job that had started: %s', async ([outcome, state, counters], { store }) => {
  const job = await store.running()
  await start(store.db, [job])
  await revokeWorker(store.db, job.worker, true)
  await releaseWorker(store.db, job.worker, { outcome, reason: 'r', error: { signal: 'SIGKILL' } })
  expect(await store.job(job.id)).toMatchObject({ table: 'history', state, ...counters, error: { signal: 'SIGKILL' } })
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ outcome, error: { signal: 'SIGKILL' } }])
})

describe('leaves', () => {
  test('the jobs of a worker that is alive', async ({ store }) => {
    const job = await store.running()
    expect(await store.db.run('release', [job.worker, 'no', 'lost', null])).toEqual([])
    expect(await store.job(job.id)).toMatchObject({ state: 1, worker: job.worker })
  })

  test("what another worker holds now, though it is still in this one's ledger", async ({ store }) => {
    const job = await store.running()
    await handBack(store.db, [{ ...job, interrupted: false, reason: null }], { worker: job.worker, claims: [] })
    const other = await store.worker()
    await store.claim(other, 1, 9)
    await revokeWorker(store.db, job.worker, true)
    expect(await store.db.run('release', [job.worker, 'no', 'lost', null])).toEqual([])
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
    expect(await store.db.run('release', [worker, 'no', 'lost', null])).toEqual([])
    expect(await store.job(back?.id ?? '')).toEqual(before)
  })
})

test('finds 500 jobs from the ledger among a million', async ({ store }) => {
  const { worker } = await store.holding(500)
  await revokeWorker(store.db, worker, true)
  const plan = await store.plan('release', [worker, 'vanished', 'lost', null])
  expectPlan(plan, { uses: ['ledger_pkey', 'job_pkey'], pages: 15_000 })
})
