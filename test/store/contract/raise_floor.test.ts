import { expect } from 'vitest'
import { retireWorker, revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, type Store, test } from './support.ts'

const tick = async (store: Store, reset = false, every = 0) => {
  const rows = await store.db.run<{ floor: string }>('raise_floor', [reset, every])
  return rows.map(({ floor }) => Number(floor))
}
const lastPosition = async (store: Store) =>
  Number((await store.rows<{ position: string }>('select last_value as position from holdfast.position'))[0]?.position)
const horizon = async (store: Store) => (await store.rows<Record<string, string>>('select * from holdfast.horizon'))[0]

test('notes the last position at each tick, and gives the floor as it was', async ({ store }) => {
  await store.rows('update holdfast.horizon set floor = 5')
  await store.enqueued()
  const before = await lastPosition(store)
  expect(await tick(store)).toEqual([5])
  const noted = Number((await horizon(store))?.['next_position'])
  // Tests of other statements draw from the same sequence at the same time.
  expect(noted).toBeGreaterThanOrEqual(before)
  expect(noted).toBeLessThanOrEqual(await lastPosition(store))
})

test('has nothing for whom comes too soon', async ({ store }) => {
  expect(await tick(store, false, 60_000)).toEqual([0])
  expect(await tick(store, false, 60_000)).toEqual([])
})

test('starts from zero on demand, and a tick too soon notes nothing then', async ({ store }) => {
  await store.rows('update holdfast.horizon set floor = 5')
  await tick(store, false, 60_000)
  const before = await horizon(store)
  await store.enqueued()
  expect(await tick(store, true, 60_000)).toEqual([0])
  expect(await horizon(store)).toEqual(before)
  expect(await tick(store, true)).toEqual([0])
})

/** Whether a tick begins at zero, although the floor is higher. */
const deep = async (store: Store): Promise<boolean> => {
  await store.rows('update holdfast.horizon set floor = 5, sampled_xid = null')
  const [floor] = await tick(store)
  return floor === 0
}

test('starts from zero after a revocation, and once more half a minute later', async ({ store }) => {
  const worker = await store.worker()
  expect([await deep(store), await deep(store)]).toEqual([false, false])
  await revokeWorker(store.db, worker, true)
  expect([await deep(store), await deep(store)]).toEqual([true, false])
  const pass = (time: string) =>
    store.rows(
      `update holdfast.horizon set swept_at = swept_at - $1::interval, revoked_at = revoked_at - $1::interval`,
      [time],
    )
  await pass('29 s')
  expect(await deep(store)).toBe(false)
  await pass('2 s')
  expect([await deep(store), await deep(store)]).toEqual([true, false])
})

test('starts from zero once also where nobody ticked for long', async ({ store }) => {
  await deep(store)
  await revokeWorker(store.db, await store.worker(), true)
  const past = `swept_at = swept_at - interval '1 h', revoked_at = revoked_at - interval '59 min'`
  await store.rows(`update holdfast.horizon set ${past}`)
  expect([await deep(store), await deep(store)]).toEqual([true, false])
})

test('a worker that leaves by itself is no reason', async ({ store }) => {
  await deep(store)
  expect(await retireWorker(store.db, await store.worker())).toBe(true)
  expect(await deep(store)).toBe(false)
})

test('touches one row', async ({ store }) => {
  expectPlan(await store.plan('raise_floor', [false, 0]), { uses: [], pages: 20 })
})
