import { expect } from 'vitest'
import { readFloor } from '../../../src/store/upkeep.ts'
import { expectPlan, test } from './support.ts'

test('reads the floor', async ({ store }) => {
  await store.rows('update holdfast.horizon set floor = 7000000000')
  expect(await readFloor(store.db)).toBe(7_000_000_000)
})

test('touches a page', async ({ store }) => {
  expectPlan(await store.plan('read_floor', []), { uses: [], pages: 5 })
})
