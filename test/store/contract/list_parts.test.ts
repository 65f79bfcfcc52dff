import { expect } from 'vitest'
import { fanOut } from '../../../src/store/parts.ts'
import { expectPlan, test } from './support.ts'

const OTHERS = ['01990000-0000-7000-8000-000000000002', '01990000-0000-7000-8000-000000000001']

test('lists the jobs of an iteration in the order of its parts', async ({ store }) => {
  const job = await store.running()
  await fanOut(store.db, job, OTHERS)
  expect(await store.db.run('list_parts', [job.id])).toEqual([job.id, ...OTHERS].map((id) => ({ job: id })))
})

test('lists nothing of a job that was not fanned out', async ({ store }) => {
  const job = await store.running()
  expect(await store.db.run('list_parts', [job.id])).toEqual([])
})

test('reads the parts of one root, among many', async ({ store }) => {
  const [row] = await store.rows<{ root: string }>('select root from holdfast.part offset 500 limit 1')
  expectPlan(await store.plan('list_parts', [row?.root]), { uses: ['part_pkey'], pages: 20 })
})
