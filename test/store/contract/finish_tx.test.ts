import { describe, expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { applyOpening } from '../../../src/store/opening.ts'
import { cancel } from '../../../src/store/operations.ts'
import { finishInTransaction } from '../../../src/store/settles.ts'
import { expectPlan, MOVED_ON, type Store, test } from './support.ts'

const NONCE = '3f0f9f0e-0000-4000-8000-000000000000'

async function end(store: Store, fence: { id: string; run: number }, more: { keep?: boolean; nonce?: string } = {}) {
  await applyOpening(store.db, 10_000, NONCE)
  await finishInTransaction(store.db, store.db, fence, { result: '{"ok":true}', keep: true, nonce: NONCE, ...more })
}

test('completes a job with its result and progress', async ({ store }) => {
  const job = await store.running()
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  await cancel(store.db, job.id, { reason: 'too late', owner: 'me' })
  await end(store, job)
  expect(await store.job(job.id)).toMatchObject({
    table: 'history',
    state: 20,
    run: 1,
    result: { ok: true },
    items: 3,
    cursor: 3,
  })
  expect(await store.of('checkpoint', 'id', job.id)).toEqual([])
  expect(await store.of('request', 'id', job.id)).toEqual([])
})

test('completes a job that started at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  await end(store, job)
  expect(await store.job(job.id)).toMatchObject({ state: 20, at_most_once: true })
})

test('keeps no row when none is wanted', async ({ store }) => {
  const job = await store.running()
  await end(store, job, { keep: false })
  await expect(store.job(job.id)).rejects.toThrow()
})

describe('raises, so that nothing can commit, for', () => {
  test.for(Object.entries(MOVED_ON))('%s', async ([, moveOn], { store }) => {
    const fence = await moveOn(store)
    expect(await store.refused(() => end(store, fence))).toBe('HF001')
  })
})

test('raises in a transaction that the engine did not open', async ({ store }) => {
  const job = await store.running()
  expect(await store.refused(() => end(store, job, { nonce: 'another' }))).toBe('HF002')
})

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  await applyOpening(store.db, 10_000, NONCE)
  const plan = await store.plan('finish_tx', [ids[0], runs[0], null, true, NONCE])
  expectPlan(plan, { uses: ['job_pkey', 'checkpoint_pkey'], pages: 15 })
})
