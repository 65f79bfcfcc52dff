import { expect } from 'vitest'
import { fanOut, finishPart, lockParts } from '../../../src/store/parts.ts'
import { expectPlan, test } from './support.ts'

const [ONE, TWO] = ['01990000-0000-7000-8000-000000000001', '01990000-0000-7000-8000-000000000002'] as const

test('counts what is left of the other parts, and their items', async ({ store }) => {
  const job = await store.running()
  await fanOut(store.db, job, [ONE, TWO])
  expect(await lockParts(store.db, store.db, job.id, job.id)).toEqual({ unfinished: 2, items: 0 })
  await finishPart(store.db, store.db, job.id, ONE, 5)
  expect(await lockParts(store.db, store.db, job.id, job.id)).toEqual({ unfinished: 1, items: 5 })
  await finishPart(store.db, store.db, job.id, TWO, 7)
  expect(await lockParts(store.db, store.db, job.id, job.id)).toEqual({ unfinished: 0, items: 12 })
})

test('finds nothing where nothing was fanned out', async ({ store }) => {
  const id = crypto.randomUUID()
  expect(await lockParts(store.db, store.db, id, id)).toEqual({ unfinished: 0, items: 0 })
})

test('reads the parts of one root, among many', async ({ store }) => {
  const [row] = await store.rows<{ root: string }>('select root from holdfast.part offset 500 limit 1')
  expectPlan(await store.plan('lock_parts', [row?.root]), { uses: ['part_pkey'], pages: 40 })
})
