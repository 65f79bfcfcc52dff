import { expect } from 'vitest'
import { readClaims, start } from '../../../src/store/claims.ts'
import { finish, handBack } from '../../../src/store/settles.ts'
import { expectPlan, test } from './support.ts'

test('reads what a claim took, as the claim itself would have told it', async ({ store }) => {
  const worker = await store.worker()
  await store.enqueued({ input: '{"a":1}', priority: 5, version: 2 })
  await store.enqueued({ expires: { kind: 'delay', ms: -1 } })
  const taken = await store.claim(worker)
  expect(await readClaims(store.db, worker, [])).toEqual(taken)
})

test("leaves out claims that the worker knows, and other workers' claims", async ({ store }) => {
  const [worker, other] = [await store.worker(), await store.worker()]
  for (const [by, number] of [
    [worker, 1],
    [worker, 2],
    [other, 3],
  ] as const) {
    await store.enqueued()
    await store.claim(by, 1, number)
  }
  expect((await readClaims(store.db, worker, [1])).map((job) => job.claim)).toEqual([2])
})

test('leaves out what is no longer held under that claim', async ({ store }) => {
  const worker = await store.worker()
  for (let made = 0; made < 4; made++) await store.enqueued()
  const [ended, back, started, kept] = await store.claim(worker, 4, 1)
  const none = { worker, claims: [] }
  await finish(store.db, [{ id: ended?.id ?? '', run: 1, state: 20, result: null, error: null, keep: true }], none)
  await handBack(store.db, [{ id: back?.id ?? '', run: 1, interrupted: false, reason: null }], none)
  await start(store.db, [{ id: started?.id ?? '', run: 1 }])
  expect((await readClaims(store.db, worker, [])).map((job) => job.id)).toEqual([kept?.id])
})

test('tells the newer run of a job that the same worker took again', async ({ store }) => {
  const worker = await store.worker()
  await store.enqueued()
  const [first] = await store.claim(worker, 1, 1)
  await handBack(store.db, [{ id: first?.id ?? '', run: 1, interrupted: false, reason: null }], { worker, claims: [] })
  await store.claim(worker, 1, 2)
  expect(await readClaims(store.db, worker, [])).toMatchObject([{ id: first?.id, run: 2, claim: 2 }])
  expect(await readClaims(store.db, worker, [2])).toEqual([])
})

test("reads the worker's own rows of the ledger, at a million jobs", async ({ store }) => {
  const { worker } = await store.holding(100)
  expectPlan(await store.plan('read_claim', [worker, [7]]), { uses: ['ledger_pkey', 'job_pkey'], pages: 600 })
})
