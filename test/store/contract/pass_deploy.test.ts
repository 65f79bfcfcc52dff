import { expect } from 'vitest'
import { passDeploy } from '../../../src/store/deploys.ts'
import { deployed, test } from './deploys.ts'
import { expectPlan } from './support.ts'

const passed = { hold: 60_000, heardMs: 12, report: { workers: 1 } }

test('from now on it holds by itself, and its report is kept', async ({ store }) => {
  const { number } = await deployed(store, { expires: 1_000 })
  const until = await passDeploy(store.db, number, passed)
  expect(until?.getTime()).toBeGreaterThan(Date.now() + 30_000)
  expect(
    await store.rows('select state, heard_ms, report, passed_at from holdfast.deploy where number = $1', [number]),
  ).toEqual([{ state: 'held', heard_ms: 12, report: { workers: 1 }, passed_at: expect.any(Date) }])
})

test('not twice, and not when its time is over: its workers may have begun to claim', async ({ store }) => {
  const { number } = await deployed(store, { queues: ['a'] })
  await passDeploy(store.db, number, passed)
  expect(await passDeploy(store.db, number, passed)).toBeUndefined()
  const late = await deployed(store, { queues: ['b'], expires: -1 })
  expect(await passDeploy(store.db, late.number, passed)).toBeUndefined()
})

test('touches one row', async ({ store }) => {
  const { number } = await deployed(store)
  expectPlan(await store.plan('pass_deploy', [number, 1_000, 1, '{}']), { uses: [], pages: 15 })
})
