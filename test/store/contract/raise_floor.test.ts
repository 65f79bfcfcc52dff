import { expect } from 'vitest'
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

test('touches one row', async ({ store }) => {
  expectPlan(await store.plan('raise_floor', [false, 0]), { uses: [], pages: 20 })
})
