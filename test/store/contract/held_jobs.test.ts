import { expect } from 'vitest'
import { heldBy, start } from '../../../src/store/claims.ts'
import { finish, handBack } from '../../../src/store/settles.ts'
import { expectPlan, test } from './support.ts'

test('tells what a worker holds, jobs included whose start is on record', async ({ store }) => {
  const [worker, other] = [await store.worker(), await store.worker()]
  for (let made = 0; made < 3; made++) await store.enqueued()
  const [plain, started] = await store.claim(worker, 2)
  await store.claim(other)
  await start(store.db, [{ id: started?.id ?? '', run: 1 }])
  const held = await heldBy(store.db, worker)
  expect(held).toHaveLength(2)
  for (const job of [plain, started])
    expect(held).toContainEqual({ id: job?.id, run: 1, task: 'common', failures: 0, crashes: 0 })
})

test('leaves out what it does not hold any more, and an earlier run of what it holds again', async ({ store }) => {
  const worker = await store.worker()
  for (let made = 0; made < 3; made++) await store.enqueued()
  const [ended, back, kept] = await store.claim(worker, 3)
  const none = { worker, claims: [] }
  await finish(store.db, [{ id: ended?.id ?? '', run: 1, state: 20, result: null, error: null, keep: true }], none)
  await handBack(store.db, [{ id: back?.id ?? '', run: 1, interrupted: false, reason: null }], none)
  expect((await heldBy(store.db, worker)).map(({ id }) => id)).toEqual([kept?.id])
  await store.claim(worker)
  expect((await heldBy(store.db, worker)).filter(({ id }) => id === back?.id)).toMatchObject([{ run: 2 }])
})

test("reads the worker's own rows of the ledger, at a million jobs", async ({ store }) => {
  const { worker } = await store.holding(100)
  expectPlan(await store.plan('held_jobs', [worker]), { uses: ['ledger_pkey', 'job_pkey'], pages: 600 })
})
