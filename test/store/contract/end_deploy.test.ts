import { expect } from 'vitest'
import { endDeploy, listDeploys, passDeploy } from '../../../src/store/deploys.ts'
import { deployed, holdOf, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('ends it, keeps why and the report, and lets its workers claim', async ({ store }) => {
  const worker = await registered(store)
  const { number } = await deployed(store)
  const end = { state: 'aborted', why: 'late', report: { offenders: [] }, from: ['preparing'] } as const
  expect(await endDeploy(store.db, number, end)).toEqual({ state: 'preparing', expired: false })
  expect(await holdOf(store, worker)).toMatchObject({ claiming: true, deploy: null })
  expect(
    await store.rows('select state, why, report, ended_at from holdfast.deploy where number = $1', [number]),
  ).toEqual([{ state: 'aborted', why: 'late', report: { offenders: [] }, ended_at: expect.any(Date) }])
})

test('not from another state, not twice', async ({ store }) => {
  const worker = await registered(store)
  const { number } = await deployed(store)
  expect(await endDeploy(store.db, number, { state: 'finished', from: ['held'] })).toBeUndefined()
  expect(await holdOf(store, worker)).toMatchObject({ claiming: false })
  await endDeploy(store.db, number, { state: 'aborted', from: ['preparing'] })
  expect(await endDeploy(store.db, number, { state: 'finished', from: ['preparing', 'held'] })).toBeUndefined()
})

test('says that its time was over before; a migration has no time', async ({ store }) => {
  const { number } = await deployed(store, { queues: ['a'] })
  await passDeploy(store.db, number, { hold: -1, heardMs: 1, report: {} })
  expect(await endDeploy(store.db, number, { state: 'finished', from: ['held'] })).toEqual({
    state: 'held',
    expired: true,
  })
  const other = await deployed(store, { queues: ['b'], expires: -1 })
  await store.rows(`update holdfast.deploy set state = 'migrating' where number = $1`, [other.number])
  expect(await endDeploy(store.db, other.number, { state: 'finished', from: ['migrating'] })).toMatchObject({
    expired: false,
  })
})

test.for([
  ['held', 'its hold ran out'],
  ['preparing', 'the command that prepared it vanished'],
] as const)('its time was over, as %s: that has one name, whoever writes it down', async ([state, why], { store }) => {
  const { number } = await deployed(store)
  await store.rows(
    `update holdfast.deploy set state = $2, expires_at = clock_timestamp() - interval '1 min' where number = $1`,
    [number, state],
  )
  const seen = async () => {
    const [deploy] = await listDeploys(store.db, { number, most: 1 })
    return { state: deploy?.state, why: deploy?.why, ended_at: deploy?.ended_at }
  }
  const before = await seen()
  expect(before).toEqual({ state: 'expired', why, ended_at: expect.any(Date) })
  await store.rows('savepoint before')
  await store.db.run('expire_deploys', [])
  expect(await seen()).toEqual(before)
  await store.rows('rollback to before')
  expect(await endDeploy(store.db, number, { state: 'finished', from: [state] })).toEqual({ state, expired: true })
  expect(await seen()).toEqual(before)
})

test('touches one row', async ({ store }) => {
  const { number } = await deployed(store)
  const values = [number, 'aborted', null, null, ['preparing']]
  expectPlan(await store.plan('end_deploy', values), { uses: [], pages: 15 })
})
