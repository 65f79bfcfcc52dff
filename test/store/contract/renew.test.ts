import { expect } from 'vitest'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

test('makes the lease longer, by the clock of the database', async ({ store }) => {
  const worker = await store.worker(-1)
  expect(await store.db.run('renew', [worker, 60_000])).toEqual([{ claiming: true }])
  const [lease] = await store.rows<{ ms: number }>(
    'select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from holdfast.lease where worker = $1',
    [worker],
  )
  expect(lease?.ms).toBeGreaterThan(50_000)
  expect(lease?.ms).toBeLessThanOrEqual(60_000)
})

test('tells a worker that it is held', async ({ store }) => {
  const worker = await store.worker()
  await store.rows('update holdfast.worker set claiming = false where key = $1', [worker])
  expect(await store.db.run('renew', [worker, 60_000])).toEqual([{ claiming: false }])
})

test('refuses a worker that was revoked', async ({ store }) => {
  const worker = await store.worker(-1)
  await revokeWorker(store.db, worker, true)
  const before = await store.of('lease', 'worker', worker)
  expect(await store.db.run('renew', [worker, 60_000])).toEqual([])
  expect(await store.of('lease', 'worker', worker)).toEqual(before)
})

test('refuses a worker that nobody knows', async ({ store }) => {
  expect(await store.db.run('renew', [-1, 60_000])).toEqual([])
})

test('touches a few pages', async ({ store }) => {
  expectPlan(await store.plan('renew', [await store.worker(), 60_000]), { uses: [], pages: 20 })
})
