import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { STATE_CODES } from '../../../src/store/codes.ts'
import type { Fence } from '../../../src/store/fence.ts'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { type Delay, delay } from '../../../src/store/settles.ts'
import { FROM_THE_BEGINNING, promote } from '../../../src/store/upkeep.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const put = ({ id, run }: Fence, more: Partial<Delay> = {}): Delay => ({
  ...{
    id,
    run,
    state: STATE_CODES.retrying,
    until: { kind: 'delay', ms: 60_000 },
    failed: true,
    reason: 'why',
    error: '{"name":"E"}',
  },
  ...more,
})

test.for([
  [STATE_CODES.retrying, true, 'failed'],
  [STATE_CODES.snoozed, false, 'snoozed'],
  [STATE_CODES.paused, false, 'paused'],
  [STATE_CODES.parked, false, 'parked'],
] as const)('puts a job away in state %i', async ([state, failed, outcome], { store }) => {
  const job = await store.running({ input: '[1]', expires: { kind: 'at', iso: '2099-01-01T00:00:00Z' } })
  const write = put(job, { state, failed })
  expect(await delay(store.db, [write], { worker: job.worker, claims: [job.claim] })).toEqual(new Set([job.id]))
  const failures = failed ? 1 : 0
  expect(await store.job(job.id)).toMatchObject({
    ...{
      table: 'waiting',
      state,
      run: 1,
      failures,
      input: [1],
      reason: 'why',
      expires_at: '2099-01-01T00:00:00+00:00',
    },
  })
  expect(await store.of('ledger', 'worker', job.worker)).toEqual([])
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ run: 1, worker: job.worker, outcome, reason: 'why' }])
})

test('is due after a delay by the clock of the database, or at a time', async ({ store }) => {
  const [after, at] = [await store.running(), await store.running()]
  const writes = [put(after), put(at, { until: { kind: 'at', iso: '2090-01-01T00:00:00Z' } })]
  await delay(store.db, writes, { worker: -1, claims: [] })
  const [due] = await store.rows<{ ms: number }>(
    'select extract(epoch from due_at - clock_timestamp())::float8 * 1000 as ms from holdfast.waiting where id = $1',
    [after.id],
  )
  expect(due?.ms).toBeGreaterThan(50_000)
  expect(due?.ms).toBeLessThanOrEqual(60_000)
  expect(await store.job(at.id)).toMatchObject({ due_at: '2090-01-01T00:00:00+00:00' })
})

test('a pause answers the request that asked for it', async ({ store }) => {
  const [paused, snoozed] = [await store.running(), await store.running()]
  for (const { id } of [paused, snoozed]) await pauseJob(store.db, id, { reason: 'r', owner: 'o' }, 1_000)
  const writes = [put(paused, { state: STATE_CODES.paused }), put(snoozed, { state: STATE_CODES.snoozed })]
  await delay(store.db, writes, { worker: -1, claims: [] })
  expect(await store.of('request', 'id', paused.id)).toEqual([])
  expect(await store.of('request', 'id', snoozed.id)).toHaveLength(1)
})

test('a pause is over at once that was taken back, or overruled by a cancellation, which stays', async ({ store }) => {
  const by = { reason: 'r', owner: 'o' }
  const [back, overruled] = [await store.running(), await store.running()]
  await cancel(store.db, overruled.id, by)
  await delay(
    store.db,
    [back, overruled].map((job) => put(job, { state: STATE_CODES.paused, failed: false })),
    { worker: -1, claims: [] },
  )
  expect(await promote(store.db, 10, FROM_THE_BEGINNING)).toEqual([{ queue: 'mine', jobs: 2 }])
  expect(await store.of('request', 'id', overruled.id)).toMatchObject([{ action: 'cancel' }])
})

test('does not park for a crash what its run got further: it goes on at once', async ({ store }) => {
  const job = await store.running()
  await store.rows('update holdfast.job set crashes = 2 where id = $1', [job.id])
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  await delay(store.db, [{ ...put(job), state: 14, failed: false, crashed: true }], { worker: -1, claims: [] })
  expect(await store.job(job.id)).toMatchObject({ state: 12, crashes: 1, failures: 0 })
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ outcome: 'crashed', items: '3' }])
  expect(await promote(store.db, 10, FROM_THE_BEGINNING)).toEqual([{ queue: 'mine', jobs: 1 }])
})

test('counts the crash of a job that is parked for it; progress clears those before', async ({ store }) => {
  const [guilty, moved] = [await store.running(), await store.running()]
  for (const { id } of [guilty, moved]) await store.rows('update holdfast.job set crashes = 2 where id = $1', [id])
  await saveCheckpoint(store.db, moved, { items: 3, total: undefined, cursor: '3', rate: undefined })
  const writes = [{ ...put(guilty), state: 14, failed: false, crashed: true }, put(moved)]
  await delay(store.db, writes, { worker: -1, claims: [] })
  expect(await store.job(guilty.id)).toMatchObject({ state: 14, crashes: 3, failures: 0 })
  expect(await store.job(moved.id)).toMatchObject({ state: 11, crashes: 0, failures: 1 })
  expect(await store.of('trail', 'job', moved.id)).toMatchObject([{ items: '3' }])
})

test('never gives back a job that started at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  expect(await delay(store.db, [put(job)], { worker: -1, claims: [] })).toEqual(new Set())
  expect(await store.job(job.id)).toMatchObject({ table: 'job', state: 2 })
})

refusesStaleFences(({ db }, fence) => delay(db, [put(fence)], { worker: -1, claims: [] }), new Set())

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs, worker } = await store.holding(100)
  const all = <T>(value: T) => ids.map(() => value)
  const values = [ids, runs, all(11), all(1000), all(null), all(1), all('r'), all('{}'), all(0), worker, [1]]
  expectPlan(await store.plan('delay', values), { uses: ['job_pkey', 'ledger_pkey'], pages: 2_000 })
})
