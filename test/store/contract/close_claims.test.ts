import { expect } from 'vitest'
import { closeClaims } from '../../../src/store/claims.ts'
import { handBack } from '../../../src/store/settles.ts'
import { expectPlan, test } from './support.ts'

test('forgets a claim of which nothing is held', async ({ store }) => {
  const job = await store.running()
  await handBack(store.db, [{ ...job, interrupted: false, reason: null }], { worker: job.worker, claims: [] })
  await closeClaims(store.db, job.worker, [job.claim])
  expect(await store.of('ledger', 'worker', job.worker)).toEqual([])
})

test('keeps a claim of which one job is held', async ({ store }) => {
  const worker = await store.worker()
  await store.enqueued()
  await store.enqueued()
  const [first] = await store.claim(worker, 2, 1)
  await handBack(store.db, [{ id: first?.id ?? '', run: 1, interrupted: false, reason: null }], { worker, claims: [] })
  await closeClaims(store.db, worker, [1])
  expect(await store.of('ledger', 'worker', worker)).toHaveLength(1)
})

test('forgets a claim whose job was taken again since', async ({ store }) => {
  const job = await store.running({}, 1)
  await handBack(store.db, [{ ...job, interrupted: false, reason: null }], { worker: job.worker, claims: [] })
  const other = await store.worker()
  await store.claim(other, 1, 5)
  await closeClaims(store.db, job.worker, [job.claim])
  expect(await store.of('ledger', 'worker', job.worker)).toEqual([])
  expect(await store.of('ledger', 'worker', other)).toHaveLength(1)
})

test('leaves other claims and other workers alone', async ({ store }) => {
  const [one, two] = [await store.running(), await store.running()]
  await closeClaims(store.db, one.worker, [99])
  await closeClaims(store.db, one.worker, [two.claim])
  expect(await store.of('ledger', 'worker', one.worker)).toHaveLength(1)
  expect(await store.of('ledger', 'worker', two.worker)).toHaveLength(1)
})

test('finds everything by its key, at a million jobs', async ({ store }) => {
  const { worker } = await store.holding(100)
  expectPlan(await store.plan('close_claims', [worker, [1]]), { uses: ['ledger_pkey', 'job_pkey'], pages: 60 })
})
