import { expect } from 'vitest'
import { test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('finds the one row there is', async ({ store }) => {
  expect(await store.db.run('lock_gate', [])).toEqual([{ one: true }])
  expectPlan(await store.plan('lock_gate', []), { uses: [], pages: 5 })
})
