import { expect } from 'vitest'
import { loadMarks, publishMarks } from '../../../src/store/upkeep.ts'
import { expectPlan, test } from './support.ts'

const mark = (queue: string, position: number) => ({ queue, lane: 1, priority: 5, position })

test('loads the marks of one set of tasks, in some queues', async ({ store }) => {
  await publishMarks(store.db, 'set', ['a'], [mark('mine', 7), mark('other', 8)])
  await publishMarks(store.db, 'another', ['b'], [mark('mine', 9)])
  expect(await loadMarks(store.db, 'set', ['mine'])).toEqual([mark('mine', 7)])
  expect(await loadMarks(store.db, 'set', [])).toEqual([])
})

test('ignores a mark above the sequence: its database was restored', async ({ store }) => {
  await publishMarks(store.db, 'set', ['a'], [mark('mine', 2 ** 50)])
  expect(await loadMarks(store.db, 'set', ['mine'])).toEqual([])
})

test('touches a few pages', async ({ store }) => {
  expectPlan(await store.plan('load_marks', ['set', ['mine']]), { uses: [], pages: 10 })
})
