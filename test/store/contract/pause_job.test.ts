import { expect } from 'vitest'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { finish } from '../../../src/store/settles.ts'
import { expectPlan, readyIds, test } from './support.ts'

const by = { reason: 'disk full', owner: 'ann' }
const HOUR = 3_600_000

test('lets a ready job rest until a time, with who did it and why', async ({ store }) => {
  const { id } = await store.enqueued({ input: '[1]' })
  expect(await pauseJob(store.db, id, by, HOUR)).toBe('ready')
  expect(await store.job(id)).toMatchObject({ table: 'waiting', state: 13, reason: 'ann: disk full', input: [1] })
  const [left] = await store.rows<{ s: number }>(
    'select extract(epoch from due_at - clock_timestamp())::float8 as s from holdfast.waiting where id = $1',
    [id],
  )
  expect(left?.s).toBeCloseTo(3_600, -1)
})

test('lets a waiting job rest, and moves the end of a pause', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 1 } })
  expect(await pauseJob(store.db, id, by, HOUR)).toBe('waiting')
  const first = await store.job(id)
  expect(first).toMatchObject({ state: 13 })
  expect(await pauseJob(store.db, id, by, 2 * HOUR)).toBe('waiting')
  expect(Date.parse((await store.job(id))['due_at'] as string)).toBeGreaterThan(Date.parse(first['due_at'] as string))
})

test('asks a running job to rest, unless it was asked to end', async ({ store }) => {
  const [running, ending] = [await store.running(), await store.running()]
  expect(await pauseJob(store.db, running.id, by, HOUR)).toBe('running')
  expect(await store.of('request', 'id', running.id)).toMatchObject([
    { action: 'pause', owner: by.owner, reason: `${by.owner}: ${by.reason}`, until: expect.any(Date) },
  ])
  expect(await store.job(running.id)).toMatchObject({ table: 'job', state: 1 })
  await cancel(store.db, ending.id, by)
  await pauseJob(store.db, ending.id, by, HOUR)
  expect(await store.of('request', 'id', ending.id)).toMatchObject([{ action: 'cancel' }])
})

test('leaves what has ended, and what nobody knows', async ({ store }) => {
  const job = await store.running()
  await finish(store.db, [{ ...job, state: 21, result: null, error: null, keep: true }], {
    worker: job.worker,
    claims: [],
  })
  expect(await pauseJob(store.db, job.id, by, HOUR)).toBeUndefined()
  expect(await pauseJob(store.db, crypto.randomUUID(), by, HOUR)).toBeUndefined()
})

test('finds everything by its key, at a million rows', async ({ store }) => {
  const plan = await store.plan('pause_job', [readyIds(1)[0], 'r', 'o', 1_000])
  expectPlan(plan, { uses: ['job_pkey', 'waiting_pkey'], pages: 60 })
})
