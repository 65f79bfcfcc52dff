import { expect } from 'vitest'
import { expectPlan, type Store, test } from './support.ts'

const left = async (store: Store, worker: number) => {
  const text =
    'select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from holdfast.lease where worker = $1'
  return (await store.rows<{ ms: number }>(text, [worker]))[0]?.ms
}

test('lets a lease run out soon', async ({ store }) => {
  const worker = await store.worker(60_000)
  await store.db.run('expire_lease', [worker, 500])
  expect(await left(store, worker)).toBeLessThanOrEqual(500)
})

test('never makes it longer', async ({ store }) => {
  const worker = await store.worker(1_000)
  await store.db.run('expire_lease', [worker, 60_000])
  expect(await left(store, worker)).toBeLessThanOrEqual(1_000)
})

test('touches one row of a small table', async ({ store }) => {
  expectPlan(await store.plan('expire_lease', [await store.worker(), 500]), { uses: [], pages: 15 })
})
