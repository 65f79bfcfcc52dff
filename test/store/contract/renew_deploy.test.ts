import { expect } from 'vitest'
import { endDeploy, renewDeploy } from '../../../src/store/deploys.ts'
import { deployed, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('goes on holding', async ({ store }) => {
  const { number } = await deployed(store, { expires: 1_000 })
  expect(await renewDeploy(store.db, number, 60_000, ['preparing'])).toBe(true)
  const left =
    'select extract(epoch from expires_at - clock_timestamp())::float8 as s from holdfast.deploy where number = $1'
  const [row] = await store.rows<{ s: number }>(left, [number])
  expect(row?.s).toBeGreaterThan(50)
})

test('not in another state, not when its time is over, not when it has ended', async ({ store }) => {
  const { number } = await deployed(store, { queues: ['a'] })
  expect(await renewDeploy(store.db, number, 60_000, ['held'])).toBe(false)
  await endDeploy(store.db, number, { state: 'aborted', from: ['preparing'] })
  expect(await renewDeploy(store.db, number, 60_000, ['preparing', 'held'])).toBe(false)
  const late = await deployed(store, { queues: ['b'], expires: -1 })
  expect(await renewDeploy(store.db, late.number, 60_000, ['preparing'])).toBe(false)
})

test('touches one row', async ({ store }) => {
  const { number } = await deployed(store)
  expectPlan(await store.plan('renew_deploy', [number, 1_000, ['preparing']]), { uses: [], pages: 15 })
})
