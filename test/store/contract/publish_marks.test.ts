import { expect } from 'vitest'
import { publishMarks } from '../../../src/store/upkeep.ts'
import { expectPlan, type Store, test } from './support.ts'

const mark = (position: number, priority = 5) => ({ queue: 'mine', lane: 1, priority, position })

async function positions(store: Store, accepts: string) {
  const rows = await store.of('mark', 'accepts', accepts)
  return rows.map((row) => Number(row['position'])).toSorted((one, other) => one - other)
}

test('publishes a mark a band, for one set of tasks', async ({ store }) => {
  await publishMarks(store.db, 'set', ['a', 'b'], [mark(7, 4), mark(9, 5)])
  expect(await store.of('mark', 'accepts', 'set')).toMatchObject([
    { queue: 'mine', lane: 1, priority: 4, position: '7', tasks: ['a', 'b'] },
    { queue: 'mine', lane: 1, priority: 5, position: '9', tasks: ['a', 'b'] },
  ])
  await publishMarks(store.db, 'other', ['a'], [mark(3)])
  expect(await positions(store, 'set')).toEqual([7, 9])
})

test('marks only rise', async ({ store }) => {
  await publishMarks(store.db, 'set', ['a'], [mark(9)])
  await publishMarks(store.db, 'set', ['a'], [mark(5)])
  expect(await positions(store, 'set')).toEqual([9])
  await publishMarks(store.db, 'set', ['a'], [mark(10)])
  expect(await positions(store, 'set')).toEqual([10])
})

test('touches a few pages', async ({ store }) => {
  const plan = await store.plan('publish_marks', ['set', ['a'], ['mine', 'mine'], [0, 1], [5, 5], [1, 2]])
  expectPlan(plan, { uses: [], pages: 30 })
})
