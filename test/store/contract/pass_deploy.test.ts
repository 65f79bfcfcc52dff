import { expect } from 'vitest'
import { endDeploy, passDeploy } from '../../../src/store/deploys.ts'
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

test('asked again, for the answer was lost, it says the same', async ({ store }) => {
  const { number } = await deployed(store)
  const read = () => store.rows('select state, passed_at, expires_at from holdfast.deploy where number = $1', [number])
  const until = await passDeploy(store.db, number, passed)
  const before = await read()
  expect(await passDeploy(store.db, number, { ...passed, hold: 3_600_000 })).toEqual(until)
  expect(await read()).toEqual(before)
})

test.for(['held', 'migrating', 'preparing'] as const)('not when it has ended as %s', async (from, { store }) => {
  const { number } = await deployed(store)
  await store.rows('update holdfast.deploy set state = $2 where number = $1', [number, from])
  await endDeploy(store.db, number, { state: 'aborted', from: [from] })
  expect(await passDeploy(store.db, number, passed)).toBeUndefined()
})

test('not when its time is over: its workers may have begun to claim', async ({ store }) => {
  const late = await deployed(store, { queues: ['b'], expires: -1 })
  expect(await passDeploy(store.db, late.number, passed)).toBeUndefined()
})

test('touches one row', async ({ store }) => {
  const { number } = await deployed(store)
  expectPlan(await store.plan('pass_deploy', [number, 1_000, 1, '{}']), { uses: [], pages: 15 })
})
