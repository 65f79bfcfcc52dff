import { expect } from 'vitest'
import { fanOut, forgetParts } from '../../../src/store/parts.ts'
import { expectPlan, test } from './support.ts'

test('forgets the parts of one iteration', async ({ store }) => {
  const [one, other] = [await store.running(), await store.running()]
  await fanOut(store.db, one, ['01990000-0000-7000-8000-000000000001'])
  await store.rows(`delete from holdfast.job where queue = 'mine' and state = 0`)
  await fanOut(store.db, other, ['01990000-0000-7000-8000-000000000002'])
  await forgetParts(store.db, store.db, one.id)
  expect(await store.of('part', 'root', one.id)).toEqual([])
  expect(await store.of('part', 'root', other.id)).toHaveLength(2)
})

test('finds them by part_pkey, among many', async ({ store }) => {
  const [row] = await store.rows<{ root: string }>('select root from holdfast.part offset 500 limit 1')
  expectPlan(await store.plan('forget_parts', [row?.root]), { uses: ['part_pkey'], pages: 40 })
})
