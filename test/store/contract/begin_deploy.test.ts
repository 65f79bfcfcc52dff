import { expect } from 'vitest'
import { deployed, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('numbers rise; what was said is kept', async ({ store }) => {
  const first = await deployed(store, { queues: ['a'] })
  const second = await deployed(store, { queues: ['b'], build: 'new', token: 'x', require: 'idle' })
  expect(second.number).toBeGreaterThan(first.number)
  expect(await store.rows('select * from holdfast.deploy where number = $1', [second.number])).toMatchObject([
    {
      state: 'preparing',
      owner: 'anna',
      reason: 'release',
      build: 'new',
      token: 'x',
      queues: ['b'],
      apps: null,
      require: 'idle',
    },
  ])
})

test('the build of workers that live in its scope already is not kept', async ({ store }) => {
  await registered(store, { build: 'same' })
  expect(await deployed(store, { build: 'same', queues: ['elsewhere'] })).toMatchObject({ build: 'same' })
  expect(await deployed(store, { build: 'same', queues: ['mine'] })).toMatchObject({ build: null })
})

test('refuses one that would hold the same workers, and writes nothing', async ({ store }) => {
  const { number } = await deployed(store)
  expect(await store.refused(() => deployed(store))).toBe('HF_DEPLOY_OVERLAP')
  expect(await store.rows('select number from holdfast.deploy where number > $1', [number])).toEqual([])
})

test('touches a few pages', async ({ store }) => {
  const values = ['o', 'r', 'b', 't', null, null, null, 'idle', 1_000]
  expectPlan(await store.plan('begin_deploy', values), { uses: [], pages: 40 })
})
