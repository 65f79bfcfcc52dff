import { expect } from 'vitest'
import { readFloor } from '../../../src/store/upkeep.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, type Store, test } from './support.ts'

test('reads the floor', async ({ store }) => {
  await store.rows('update holdfast.horizon set floor = 7000000000')
  expect(await readFloor(store.db, await store.worker())).toMatchObject({ position: 7_000_000_000 })
})

test('gives the same permit while the worker may claim, its claims and renewals included', async ({ store }) => {
  const worker = await store.worker()
  const before = await readFloor(store.db, worker)
  await store.enqueued()
  await store.claim(worker)
  await store.db.run('renew', [worker, 60_000])
  expect(await readFloor(store.db, worker)).toEqual(before)
})

const holds = (store: Store, worker: number, held: boolean) =>
  store.rows('update holdfast.worker set claiming = $2 where key = $1', [worker, !held])

test('gives none to a worker that is held, revoked or unknown', async ({ store }) => {
  const [held, revoked] = [await store.worker(), await store.worker()]
  await holds(store, held, true)
  await revokeWorker(store.db, revoked, true)
  for (const worker of [held, revoked, -1]) expect(await readFloor(store.db, worker)).toBeUndefined()
})

test('touches few pages', async ({ store }) => {
  expectPlan(await store.plan('read_floor', [await store.worker()]), { uses: [], pages: 10 })
})
