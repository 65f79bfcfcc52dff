import { expect } from 'vitest'
import { markDeploy, passDeploy } from '../../../src/store/deploys.ts'
import { deployed, test } from './deploys.ts'
import { expectPlan } from './support.ts'

const passed = { hold: 60_000, heardMs: undefined, report: {} }

test('a migration has begun: once is enough, twice changes nothing', async ({ store }) => {
  const { number } = await deployed(store)
  await passDeploy(store.db, number, passed)
  expect(await markDeploy(store.db, number)).toBe(true)
  const read = () => store.rows('select state, migrating_at from holdfast.deploy where number = $1', [number])
  const before = await read()
  expect(before).toEqual([{ state: 'migrating', migrating_at: expect.any(Date) }])
  expect(await markDeploy(store.db, number)).toBe(true)
  expect(await read()).toEqual(before)
})

test('not before the way is free, and not when the hold has run out', async ({ store }) => {
  const { number } = await deployed(store, { queues: ['a'] })
  expect(await markDeploy(store.db, number)).toBe(false)
  await passDeploy(store.db, number, { ...passed, hold: -1 })
  expect(await markDeploy(store.db, number)).toBe(false)
})

test('touches one row', async ({ store }) => {
  const { number } = await deployed(store)
  expectPlan(await store.plan('mark_deploy', [number]), { uses: [], pages: 15 })
})
