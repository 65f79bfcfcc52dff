import { expect } from 'vitest'
import { fanOut, finishPart } from '../../../src/store/parts.ts'
import { expectPlan, test } from './support.ts'

const OTHER = '01990000-0000-7000-8000-000000000001'

test('marks one part as finished, with its items', async ({ store }) => {
  const job = await store.running()
  await fanOut(store.db, job, [OTHER])
  await finishPart(store.db, store.db, job.id, OTHER, 5)
  expect(await store.of('part', 'root', job.id)).toMatchObject([
    { part: 0, finished: false, items: '0' },
    { part: 1, finished: true, items: '5' },
  ])
})

test('leaves the parts of other iterations', async ({ store }) => {
  const [one, other] = [await store.running(), await store.running()]
  await fanOut(store.db, one, [OTHER])
  await finishPart(store.db, store.db, other.id, OTHER, 5)
  expect(await store.of('part', 'finished', true)).toEqual([])
})

test('finds the part by a key, among many', async ({ store }) => {
  const [row] = await store.rows<{ root: string; job: string }>(
    'select root, job from holdfast.part offset 500 limit 1',
  )
  const plan = await store.plan('finish_part', [row?.root, row?.job, 5])
  expect([...plan.indexes].some((index) => ['part_pkey', 'part_job'].includes(index))).toBe(true)
  expectPlan(plan, { uses: [], pages: 20 })
})
