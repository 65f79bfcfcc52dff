import { expect } from 'vitest'
import { loadCheckpoint, saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { fanOut } from '../../../src/store/parts.ts'
import { handBack } from '../../../src/store/settles.ts'
import { releaseWorker, revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const NONE = {
  ...{ items: 0, total: undefined, cursor: undefined, rate: undefined },
  ...{ afterLoss: false, part: undefined, fruitless: 0, resumes: false },
}

test('reads progress from the start, and what was saved', async ({ store }) => {
  const job = await store.running()
  expect(await loadCheckpoint(store.db, job)).toEqual(NONE)
  await saveCheckpoint(store.db, job, { items: 3, total: 8, cursor: '{"at":[3,"x"]}', rate: 1.5 })
  expect(await loadCheckpoint(store.db, job)).toEqual({
    ...NONE,
    items: 3,
    total: 8,
    cursor: { at: [3, 'x'] },
    rate: 1.5,
    resumes: true,
  })
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

test('tells that the worker of the run before vanished, and not of earlier ones', async ({ store }) => {
  const lost = await store.running()
  await revokeWorker(store.db, lost.worker, true)
  await releaseWorker(store.db, lost.worker, { outcome: 'lost', reason: 'test' })
  const worker = await store.worker()
  const [again] = await store.claim(worker, 1, 77)
  expect((await loadCheckpoint(store.db, { id: lost.id, run: 2 }))?.afterLoss).toBe(true)
  await handBack(store.db, [{ ...lost, run: 2, interrupted: true, reason: 'deploy' }], {
    worker,
    claims: [again?.claim ?? 0],
  })
  await store.claim(worker, 1, 78)
  expect((await loadCheckpoint(store.db, { id: lost.id, run: 3 }))?.afterLoss).toBe(false)
})

refusesStaleFences(({ db }, fence) => loadCheckpoint(db, fence), undefined)

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  const plan = await store.plan('load_checkpoint', [ids[0], runs[0]])
  expectPlan(plan, { uses: ['job_pkey', 'checkpoint_pkey', 'part_job'], pages: 18 })
})
