import { expect } from 'vitest'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, type Store, test } from './support.ts'

const row = async (store: Store, key: number) =>
  (await store.rows('select * from holdfast.worker where key = $1', [key]))[0]

test('takes its rights from a worker whose lease has run out', async ({ store }) => {
  const worker = await store.worker(-1)
  expect(await revokeWorker(store.db, worker, false)).toBe(true)
  expect(await row(store, worker)).toMatchObject({ alive: false, claiming: false, ended_at: expect.any(Date) })
})

test('leaves a worker whose lease holds, unless forced', async ({ store }) => {
  const worker = await store.worker(60_000)
  expect(await revokeWorker(store.db, worker, false)).toBe(false)
  expect(await row(store, worker)).toMatchObject({ alive: true, claiming: true, ended_at: null })
  expect(await revokeWorker(store.db, worker, true)).toBe(true)
  expect(await row(store, worker)).toMatchObject({ alive: false })
})

test('may be repeated: whoever comes second releases too, and the end stays the first', async ({ store }) => {
  const worker = await store.worker(60_000)
  await revokeWorker(store.db, worker, true)
  const before = await row(store, worker)
  expect(await revokeWorker(store.db, worker, false)).toBe(true)
  expect(await row(store, worker)).toEqual(before)
})

test('tells the sweep, once: claims of it may have been rolled back', async ({ store }) => {
  const told = async () =>
    (await store.rows<{ at: Date | null }>('select revoked_at as at from holdfast.horizon'))[0]?.at
  const worker = await store.worker(60_000)
  await store.rows('update holdfast.horizon set revoked_at = null')
  await revokeWorker(store.db, worker, false)
  expect(await told()).toBeNull()
  await revokeWorker(store.db, worker, true)
  const at = await told()
  expect(at).toEqual(expect.any(Date))
  await revokeWorker(store.db, worker, false)
  expect(await told()).toEqual(at)
})

test('knows whom nobody saw go: only whose lease ran out', async ({ store }) => {
  const [lost, seen] = [await store.worker(-1), await store.worker(60_000)]
  await revokeWorker(store.db, lost, false)
  await revokeWorker(store.db, seen, true)
  // Whoever gives its last jobs back comes later.
  await revokeWorker(store.db, seen, false)
  expect([await row(store, lost), await row(store, seen)]).toMatchObject([{ lost: true }, { lost: false }])
})

test('touches a few pages', async ({ store }) => {
  expectPlan(await store.plan('revoke_worker', [await store.worker(-1), false, false]), { uses: [], pages: 20 })
})
