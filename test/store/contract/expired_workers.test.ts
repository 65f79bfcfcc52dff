import { expect } from 'vitest'
import { expiredWorkers, revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

test('names workers whose lease has run out, and revoked ones that are not emptied yet', async ({ store }) => {
  const [alive, expired, revoked] = [await store.worker(60_000), await store.worker(-1), await store.worker(60_000)]
  await revokeWorker(store.db, revoked, true)
  const named = await expiredWorkers(store.db)
  expect(named).toEqual(
    expect.arrayContaining([
      { worker: expired, name: 'w' },
      { worker: revoked, name: 'w' },
    ]),
  )
  expect(named.map(({ worker }) => worker)).not.toContain(alive)
})

test('reads a row a live worker, no jobs', async ({ store }) => {
  const plan = await store.plan('expired_workers', [])
  expectPlan(plan, { uses: [], pages: 30 })
  expect(new Set(plan.scans.map(({ table }) => table))).toEqual(new Set(['lease', 'worker']))
})
