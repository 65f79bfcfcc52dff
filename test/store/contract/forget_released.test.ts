import { expect } from 'vitest'
import { handBack } from '../../../src/store/settles.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, type Store, test } from './support.ts'

const forget = (store: Store, worker: number) => store.db.run<{ left: number }>('forget_released', [worker])

test('forgets the rows of a revoked worker that hold nothing, and its lease with the last one', async ({ store }) => {
  const worker = await store.worker()
  await store.enqueued()
  await store.claim(worker, 1, 1)
  await store.enqueued()
  const [kept] = await store.claim(worker, 1, 2)
  await revokeWorker(store.db, worker, true)
  const none = { worker, claims: [] }
  await store.rows('update holdfast.job set state = 0, worker = null where worker = $1 and id <> $2', [
    worker,
    kept?.id,
  ])
  expect(await forget(store, worker)).toEqual([{ left: 1 }])
  expect(await store.of('ledger', 'worker', worker)).toMatchObject([{ claim: '2' }])
  expect(await store.of('lease', 'worker', worker)).toHaveLength(1)

  await handBack(store.db, [{ id: kept?.id ?? '', run: 1, interrupted: false, reason: null }], none)
  expect(await forget(store, worker)).toEqual([{ left: 0 }])
  expect(await store.of('ledger', 'worker', worker)).toEqual([])
  expect(await store.of('lease', 'worker', worker)).toEqual([])
})

test('leaves a worker that is alive', async ({ store }) => {
  const job = await store.running()
  await handBack(store.db, [{ ...job, interrupted: false, reason: null }], { worker: job.worker, claims: [] })
  expect(await forget(store, job.worker)).toEqual([{ left: 1 }])
  expect(await store.of('ledger', 'worker', job.worker)).toHaveLength(1)
})

test('leaves the lease of a worker that is alive and holds nothing', async ({ store }) => {
  const worker = await store.worker()
  await forget(store, worker)
  expect(await store.of('lease', 'worker', worker)).toHaveLength(1)
})

test("reads the worker's own rows of the ledger, at a million jobs", async ({ store }) => {
  const { worker } = await store.holding(100)
  await revokeWorker(store.db, worker, true)
  expectPlan(await store.plan('forget_released', [worker]), { uses: ['ledger_pkey', 'job_pkey'], pages: 60 })
})
