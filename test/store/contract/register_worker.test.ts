import { expect } from 'vitest'
import { registerWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

const row = {
  name: 'host/1',
  build: 'b1',
  release: '0.1.0',
  tasks: ['a', 'b'],
  queues: ['mine'],
  manifest: { tasks: [] },
  lease: 5_000,
}

test('makes a new incarnation with its lease, each time with a key of its own', async ({ store }) => {
  const key = await registerWorker(store.db, row)
  const other = await registerWorker(store.db, row)
  expect(other).toBeGreaterThan(key)
  const found = await store.rows('select * from holdfast.worker where key = $1', [key])
  expect(found).toMatchObject([
    {
      name: 'host/1',
      build: 'b1',
      release: '0.1.0',
      tasks: ['a', 'b'],
      queues: ['mine'],
      manifest: { tasks: [] },
      alive: true,
      claiming: true,
      ended_at: null,
    },
  ])
  const [lease] = await store.rows<{ ms: number }>(
    'select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from holdfast.lease where worker = $1',
    [key],
  )
  expect(lease?.ms).toBeGreaterThan(3_000)
  expect(lease?.ms).toBeLessThanOrEqual(5_000)
})

test('touches a few pages', async ({ store }) => {
  expectPlan(await store.plan('register_worker', ['n', 'b', 'r', ['a'], ['q'], 1_000, '{}', 'app', null, 4]), {
    uses: [],
    pages: 40,
  })
})
