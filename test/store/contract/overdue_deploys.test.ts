import { expect } from 'vitest'
import { overdueDeploys } from '../../../src/store/deploys.ts'
import { deployed, registered, test } from './deploys.ts'
import { expectPlan, type Store } from './support.ts'

const change = (store: Store, number: number, state: string) =>
  store.rows(
    `update holdfast.deploy set state = $2, expires_at = clock_timestamp() - interval '1 min' where number = $1`,
    [number, state],
  )

test('those that have begun to migrate and whose time is over, and no others', async ({ store }) => {
  const late = await deployed(store, { queues: ['a'] })
  const expired = await deployed(store, { queues: ['b'] })
  await deployed(store, { queues: ['c'] })
  await change(store, late.number, 'migrating')
  await change(store, expired.number, 'held')
  const [found, ...others] = await overdueDeploys(store.db)
  expect(found).toEqual({ number: late.number, owner: 'anna', reason: 'release', late_ms: expect.any(Number) })
  expect(found?.late_ms).toBeGreaterThan(59_000)
  expect(others).toEqual([])
})

test('not one that is ended', async ({ store }) => {
  const { number } = await deployed(store)
  await change(store, number, 'migrating')
  await store.rows('update holdfast.deploy set ended_at = clock_timestamp() where number = $1', [number])
  expect(await overdueDeploys(store.db)).toEqual([])
})

test('of the live workers, the oldest hears of it', async ({ store }) => {
  await store.rows('delete from holdfast.lease')
  const [gone, oldest, other] = [
    await registered(store, { lease: -1 }),
    await registered(store),
    await registered(store),
  ]
  const { number } = await deployed(store)
  await change(store, number, 'migrating')
  expect(await overdueDeploys(store.db, gone)).toEqual([])
  expect(await overdueDeploys(store.db, oldest)).toMatchObject([{ number }])
  expect(await overdueDeploys(store.db, other)).toEqual([])
})

test('touches a few pages', async ({ store }) => {
  await deployed(store)
  expectPlan(await store.plan('overdue_deploys', [await registered(store)]), { uses: [], pages: 60 })
})
