import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { STATE_CODES } from '../../../src/store/codes.ts'
import type { Fence } from '../../../src/store/fence.ts'
import { cancel } from '../../../src/store/operations.ts'
import { type Finish, finish } from '../../../src/store/settles.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const end = ({ id, run }: Fence, more: Partial<Finish> = {}): Finish => ({
  ...{ id, run, state: STATE_CODES.completed, result: null, error: null, keep: true },
  ...more,
})

test('moves a job to the history with its result and progress, and forgets its checkpoint, its request and its claim', async ({
  store,
}) => {
  const job = await store.running()
  await saveCheckpoint(store.db, job, { items: 7, total: 9, cursor: '{"at":7}', rate: undefined })
  await cancel(store.db, job.id, { reason: 'no', owner: 'me' })
  const ended = await finish(store.db, [end(job, { result: '"done"' })], { worker: job.worker, claims: [job.claim] })
  expect(ended).toEqual(new Set([job.id]))
  expect(await store.job(job.id)).toMatchObject({
    ...{
      table: 'history',
      state: 20,
      run: job.run,
      worker: job.worker,
      result: 'done',
      items: 7,
      total: 9,
      cursor: { at: 7 },
    },
  })
  expect(await store.of('checkpoint', 'id', job.id)).toEqual([])
  expect(await store.of('request', 'id', job.id)).toEqual([])
  expect(await store.of('ledger', 'worker', job.worker)).toEqual([])
  expect(await store.of('trail', 'job', job.id)).toEqual([])
})

test.for([
  [STATE_CODES.failed, 'failed', { failures: 1 }, {}],
  [STATE_CODES.failed, 'crashed', { crashes: 1 }, { crashed: true }],
  [STATE_CODES.cancelled, 'cancelled', {}, {}],
  [STATE_CODES.expired, 'expired', {}, {}],
  [STATE_CODES.lost, 'lost', { losses: 1 }, {}],
  [STATE_CODES.interrupted, 'interrupted', { interruptions: 1 }, {}],
] as const)(
  'ends a job in state %i with a line "%s" in its trail, counted as that alone',
  async ([state, outcome, counted, more], { store }) => {
    const job = await store.running()
    await finish(store.db, [end(job, { state, error: '{"name":"E"}', ...more })], { worker: job.worker, claims: [] })
    const counters = { failures: 0, interruptions: 0, losses: 0, crashes: 0, ...counted }
    expect(await store.job(job.id)).toMatchObject({ table: 'history', state, ...counters, error: { name: 'E' } })
    expect(await store.of('trail', 'job', job.id)).toMatchObject([
      { run: 1, worker: job.worker, outcome, error: { name: 'E' } },
    ])
  },
)

test('ends a job that started at most once, and remembers that', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  await finish(store.db, [end(job, { state: STATE_CODES.interrupted })], { worker: job.worker, claims: [] })
  expect(await store.job(job.id)).toMatchObject({ state: 25, at_most_once: true })
})

test('ends each job of a batch in its own way, and leaves out what has moved on', async ({ store }) => {
  const jobs = [await store.running(), await store.running({}, 2), await store.running()]
  const writes = [
    end(jobs[0] as Fence, { result: '0' }),
    end({ id: jobs[1]?.id as string, run: 1 }),
    end(jobs[2] as Fence, { state: STATE_CODES.failed, error: '{}', keep: false }),
  ]
  const ended = await finish(store.db, writes, { worker: -1, claims: [] })
  expect(ended).toEqual(new Set([jobs[0]?.id, jobs[2]?.id]))
  expect(await store.job(jobs[0]?.id as string)).toMatchObject({ state: 20, result: 0 })
  expect(await store.job(jobs[1]?.id as string)).toMatchObject({ table: 'job', state: 1 })
  await expect(store.job(jobs[2]?.id as string)).rejects.toThrow()
})

refusesStaleFences(({ db }, fence) => finish(db, [end(fence)], { worker: -1, claims: [] }), new Set())

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs, worker } = await store.holding(100)
  const all = <T>(value: T) => ids.map(() => value)
  const plan = await store.plan('finish', [
    ids,
    runs,
    all(20),
    all(null),
    all(null),
    all(true),
    all(false),
    worker,
    [1],
  ])
  expectPlan(plan, { uses: ['job_pkey', 'ledger_pkey', 'checkpoint_pkey'], pages: 1_200 })
})
