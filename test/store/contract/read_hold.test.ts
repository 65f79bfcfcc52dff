import { expect } from 'vitest'
import { mayBeHeld } from '../../../src/store/gate.ts'
import { deployed, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('true while it is held', async ({ store }) => {
  const worker = await registered(store)
  expect(await mayBeHeld(store.db, worker)).toBe(false)
  await deployed(store)
  expect(await mayBeHeld(store.db, worker)).toBe(true)
  expect(await mayBeHeld(store.db, -1)).toBe(false)
})

test('touches one worker', async ({ store }) => {
  expectPlan(await store.plan('read_hold', [await registered(store)]), { uses: [], pages: 10 })
})
