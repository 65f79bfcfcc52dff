import { expect } from 'vitest'
import { loadCheckpoint, saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { fanOut } from '../../../src/store/parts.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

test('reads progress from the start, and what was saved', async ({ store }) => {
  const job = await store.running()
  expect(await loadCheckpoint(store.db, job)).toEqual({
    items: 0,
    total: undefined,
    cursor: undefined,
    part: undefined,
  })
  await saveCheckpoint(store.db, job, { items: 3, total: 8, cursor: '{"at":[3,"x"]}', rate: undefined })
  expect(await loadCheckpoint(store.db, job)).toEqual({ items: 3, total: 8, cursor: { at: [3, 'x'] }, part: undefined })
})

test('tells which part of an iteration the job is', async ({ store }) => {
  const job = await store.running()
  const other = '01990000-0000-7000-8000-000000000001'
  await fanOut(store.db, job, [other])
  expect((await loadCheckpoint(store.db, job))?.part).toEqual({ root: job.id, index: 0, of: 2 })
  const [taken] = await store.claim(job.worker, 1, 77)
  expect(taken?.id).toBe(other)
  expect((await loadCheckpoint(store.db, { id: other, run: 1 }))?.part).toEqual({ root: job.id, index: 1, of: 2 })
})

refusesStaleFences(({ db }, fence) => loadCheckpoint(db, fence), undefined)

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  const plan = await store.plan('load_checkpoint', [ids[0], runs[0]])
  expectPlan(plan, { uses: ['job_pkey', 'checkpoint_pkey', 'part_job'], pages: 20 })
})
