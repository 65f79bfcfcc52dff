import { describe, expect } from 'vitest'
import { saveCheckpoint, saveCheckpointInTransaction } from '../../../src/store/checkpoints.ts'
import { applyOpening } from '../../../src/store/opening.ts'
import { cancel } from '../../../src/store/operations.ts'
import { expectPlan, MOVED_ON, type Store, test } from './support.ts'

const NONCE = '3f0f9f0e-0000-4000-8000-000000000000'
const at = (items: number) => ({ items, total: undefined, cursor: `{"at":${items}}`, rate: undefined })

async function save(store: Store, fence: { id: string; run: number }, items: number, nonce = NONCE) {
  await applyOpening(store.db, 10_000, NONCE)
  return saveCheckpointInTransaction(store.db, store.db, fence, at(items), nonce)
}

test('saves progress, and tells what people asked meanwhile', async ({ store }) => {
  const job = await store.running()
  expect(await save(store, job, 1)).toBeUndefined()
  await cancel(store.db, job.id, { reason: 'no', owner: 'me' })
  expect(await save(store, job, 2)).toMatchObject({ action: 'cancel', reason: 'no' })
  expect(await store.of('checkpoint', 'id', job.id)).toMatchObject([{ run: 1, items: '2', cursor: { at: 2 } }])
})

test('never goes backwards: it raises', async ({ store }) => {
  const job = await store.running()
  await saveCheckpoint(store.db, job, at(4))
  expect(await store.refused(() => save(store, job, 3))).toBe('HF001')
})

describe('raises, so that nothing can commit, for', () => {
  test.for(Object.entries(MOVED_ON))('%s', async ([, moveOn], { store }) => {
    const fence = await moveOn(store)
    expect(await store.refused(() => save(store, fence, 1))).toBe('HF001')
  })
})

test('raises in a transaction that the engine did not open', async ({ store }) => {
  const job = await store.running()
  expect(await store.refused(() => save(store, job, 1, 'another'))).toBe('HF002')
})

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  await applyOpening(store.db, 10_000, NONCE)
  const plan = await store.plan('save_checkpoint_tx', [ids[0], runs[0], 5, null, '{}', null, NONCE])
  expectPlan(plan, { uses: ['job_pkey'], pages: 25 })
})
