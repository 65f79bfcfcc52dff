import { describe, expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { pauseJob, retryJob } from '../../../src/store/operations.ts'
import { delay, finish } from '../../../src/store/settles.ts'
import { expectPlan, type Store, test } from './support.ts'

const NEW = '01990000-0000-7000-8000-00000000abcd'

async function ended(store: Store, state: number, more: { once?: boolean; items?: number } = {}) {
  const job = await store.running({ input: '[1]', priority: 5 }, 2)
  if (more.items !== undefined) {
    await saveCheckpoint(store.db, job, { items: more.items, total: 9, cursor: '{"at":4}', rate: undefined })
  }
  if (more.once) await start(store.db, [job])
  await finish(store.db, [{ ...job, state, result: null, error: '{}', keep: true }], {
    worker: job.worker,
    claims: [job.claim],
  })
  return job
}

test.for([21, 22, 23, 24, 25])('runs a job again that ended in state %i', async (state, { store }) => {
  const { id, run } = await ended(store, state)
  expect(await retryJob(store.db, id, NEW)).toEqual({ id, queue: 'mine' })
  expect(await store.job(id)).toMatchObject({
    table: 'job',
    state: 0,
    lane: 0,
    run,
    failures: 0,
    interruptions: 0,
    input: [1],
  })
})

test('brings its progress back', async ({ store }) => {
  const { id } = await ended(store, 21, { items: 4 })
  await retryJob(store.db, id, NEW)
  expect(await store.of('checkpoint', 'id', id)).toMatchObject([
    { items: '4', total: '9', cursor: { at: 4 }, moved: 2 },
  ])
})

test('its next run has a higher number than all before', async ({ store }) => {
  const { id, run, worker } = await ended(store, 21)
  await retryJob(store.db, id, NEW)
  expect(await store.claim(worker)).toMatchObject([{ id, run: run + 1 }])
})

test('forgets what was asked in the instant in which it ended', async ({ store }) => {
  const { id } = await ended(store, 21)
  await store.rows(`insert into holdfast.request (id, action, reason, owner) values ($1, 'cancel', 'late', 'o')`, [id])
  await retryJob(store.db, id, NEW)
  expect(await store.of('request', 'id', id)).toEqual([])
})

test('never starts an at-most-once job twice: its retry is a new job', async ({ store }) => {
  const { id } = await ended(store, 24, { once: true, items: 4 })
  expect(await retryJob(store.db, id, NEW)).toEqual({ id: NEW, queue: 'mine' })
  expect(await store.job(id)).toMatchObject({ table: 'history', state: 24, at_most_once: true })
  expect(await store.job(NEW)).toMatchObject({ table: 'job', state: 0, run: 0, input: [1] })
  expect(await store.of('checkpoint', 'id', NEW)).toEqual([])
})

test('makes a retry that waits ready at once', async ({ store }) => {
  const job = await store.running()
  const write = {
    ...job,
    state: 11,
    until: { kind: 'delay', ms: 60_000 },
    failed: true,
    reason: null,
    error: null,
  } as const
  await delay(store.db, [write], { worker: job.worker, claims: [] })
  expect(await retryJob(store.db, job.id, NEW)).toEqual({ id: job.id, queue: 'mine' })
  expect(await store.job(job.id)).toMatchObject({ table: 'job', state: 0, lane: 0, run: 1, failures: 1 })
})

test('trusts a parked job again: its crashes are forgotten', async ({ store }) => {
  const job = await store.running()
  await store.rows('update holdfast.job set crashes = 2 where id = $1', [job.id])
  const until = { kind: 'delay', ms: 60_000 } as const
  const write = { ...job, state: 14, until, failed: false, reason: 'kills workers', error: null, crashed: true }
  await delay(store.db, [write], { worker: job.worker, claims: [] })
  expect(await store.job(job.id)).toMatchObject({ crashes: 3 })
  await retryJob(store.db, job.id, NEW)
  expect(await store.job(job.id)).toMatchObject({ table: 'job', state: 0, crashes: 0 })
})

describe('finds nothing to retry', () => {
  const CASES: Record<string, (store: Store) => Promise<string>> = {
    'in a job that completed': async (store) => (await ended(store, 20)).id,
    'in a ready job': async (store) => (await store.enqueued()).id,
    'in a running job': async (store) => (await store.running()).id,
    'in a paused job': async (store) => {
      const { id } = await store.enqueued()
      await pauseJob(store.db, id, { reason: 'r', owner: 'o' }, 60_000)
      return id
    },
    'where there is no job': async () => crypto.randomUUID(),
  }
  test.for(Object.entries(CASES))('%s', async ([, make], { store }) => {
    const id = await make(store)
    expect(await retryJob(store.db, id, NEW)).toBeUndefined()
  })
})

test('finds an ended job by the BRIN over its id, among a million', async ({ store }) => {
  const [row] = await store.rows<{ id: string }>(
    `select id from holdfast.history where state = 21 and id > '01970000-0007-0000-7000-800000000000' limit 1`,
  )
  const plan = await store.plan('retry_job', [row?.id, NEW])
  expectPlan(plan, { uses: ['history_default_id_idx', 'waiting_pkey'], pages: 200 })
})
