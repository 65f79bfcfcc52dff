import { expect } from 'vitest'
import { endDeploy, overlappingDeploy } from '../../../src/store/deploys.ts'
import { deployed, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test.for([
  [{}, {}, true],
  [{ queues: ['a'] }, {}, true],
  [{ queues: ['a'] }, { queues: ['a', 'b'] }, true],
  [{ queues: ['a'] }, { queues: ['b'] }, false],
  [{ apps: ['a'] }, { apps: ['b'] }, false],
  [{ apps: ['a'], queues: ['q'] }, { apps: ['b'], queues: ['q'] }, false],
  [{ workers: ['one:%'] }, { workers: ['two:%'] }, false],
  [{ workers: ['one:%'] }, { workers: ['one:%'] }, true],
  [{ workers: ['one:%'] }, { queues: ['q'] }, true],
] as const)('%j and %j: %s', async ([one, other, meet], { store }) => {
  const { number } = await deployed(store, one)
  expect((await overlappingDeploy(store.db, other))?.number).toBe(meet ? number : undefined)
})

test('scopes that are apart meet in a worker that is in both', async ({ store }) => {
  await registered(store, { queues: ['a', 'b'] })
  const { number } = await deployed(store, { queues: ['a'] })
  expect(await overlappingDeploy(store.db, { queues: ['b'] })).toMatchObject({
    number,
    owner: 'anna',
    reason: 'release',
  })
})

test('one that has ended, or whose time is over, is in nobody’s way', async ({ store }) => {
  const { number } = await deployed(store)
  await endDeploy(store.db, number, { state: 'aborted', from: ['preparing'] })
  await deployed(store, { expires: -1 })
  expect(await overlappingDeploy(store.db, {})).toBeUndefined()
})

test('touches a few pages', async ({ store }) => {
  await deployed(store)
  expectPlan(await store.plan('overlapping_deploys', [null, null, null]), { uses: [], pages: 30 })
})
