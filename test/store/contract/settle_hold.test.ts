import { expect } from 'vitest'
import { markDeploy } from '../../../src/store/deploys.ts'
import { settleHold } from '../../../src/store/gate.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { deployed, holdOf, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('a worker that nothing holds claims', async ({ store }) => {
  const worker = await registered(store)
  expect(await settleHold(store.db, worker)).toBeUndefined()
  expect(await holdOf(store, worker)).toEqual({ claiming: true, deploy: null, heard: null })
})

test('one that is held has heard of it, and does not claim', async ({ store }) => {
  const worker = await registered(store)
  const { number } = await deployed(store, { require: 'idle' })
  expect(await holdOf(store, worker)).toEqual({ claiming: false, deploy: number, heard: null })
  expect(await settleHold(store.db, worker)).toEqual({
    deploy: number,
    ...{ require: 'idle', state: 'preparing', owner: 'anna', reason: 'release', overdue: false },
  })
  expect(await holdOf(store, worker)).toEqual({ claiming: false, deploy: number, heard: number })
})

test('one that registers later is held from the start', async ({ store }) => {
  const { number } = await deployed(store)
  expect(await holdOf(store, await registered(store))).toMatchObject({ claiming: false, deploy: number })
})

test('the new build and the token are not held', async ({ store }) => {
  await deployed(store, { build: 'new' })
  for (const given of [{ build: 'new' }, { token: 'secret' }]) {
    expect(await holdOf(store, await registered(store, given))).toMatchObject({ claiming: true, deploy: null })
  }
  for (const given of [{ token: 'of another' }, { build: 'other' }]) {
    expect(await holdOf(store, await registered(store, given))).toMatchObject({ claiming: false })
  }
})

test.for([
  ['app', { apps: ['shop'] }, { app: 'shop' }, { app: 'mail' }],
  ['queue', { queues: ['mine'] }, { queues: ['other', 'mine'] }, { queues: ['other'] }],
  ['name', { workers: ['one:%'] }, { name: 'one:77' }, { name: 'onetwo:77' }],
] as const)('a scope by %s', async ([, scope, inside, outside], { store }) => {
  await deployed(store, scope)
  expect(await holdOf(store, await registered(store, inside))).toMatchObject({ claiming: false })
  expect(await holdOf(store, await registered(store, outside))).toMatchObject({ claiming: true })
})

test('a hold whose time is over lets it go; not after a migration has begun', async ({ store }) => {
  const worker = await registered(store)
  const { number } = await deployed(store, { expires: -1 })
  expect(await settleHold(store.db, worker)).toBeUndefined()
  expect(await holdOf(store, worker)).toMatchObject({ claiming: true, deploy: null })
  await store.rows(`update holdfast.deploy set state = 'migrating' where number = $1`, [number])
  expect(await settleHold(store.db, worker)).toMatchObject({ deploy: number, state: 'migrating', overdue: true })
  expect(await markDeploy(store.db, number)).toBe(true)
})

test('a worker that was revoked stays so', async ({ store }) => {
  const worker = await registered(store)
  await revokeWorker(store.db, worker, true)
  expect(await settleHold(store.db, worker)).toBeUndefined()
  expect(await holdOf(store, worker)).toMatchObject({ claiming: false })
})

test('touches a few pages', async ({ store }) => {
  const worker = await registered(store)
  await deployed(store)
  expectPlan(await store.plan('settle_hold', [worker]), { uses: [], pages: 40 })
})
