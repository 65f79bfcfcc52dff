import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import { cancel, pauseJob } from '../../../src/store/operations.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const at = (items: number, total?: number) => ({
  items,
  total,
  cursor: `{"at":${items}}`,
  rate: 2.5,
})

test('saves progress, and saves it again', async ({ store }) => {
  const job = await store.running()
  expect(await saveCheckpoint(store.db, job, at(1, 10))).toBeUndefined()
  expect(await saveCheckpoint(store.db, job, at(4))).toBeUndefined()
  expect(await store.of('checkpoint', 'id', job.id)).toMatchObject([
    { run: 1, items: '4', total: '10', cursor: { at: 4 }, rate: 2.5 },
  ])
})

test('saves the same progress again: an answer was lost', async ({ store }) => {
  const job = await store.running()
  await saveCheckpoint(store.db, job, at(4))
  expect(await saveCheckpoint(store.db, job, at(4))).toBeUndefined()
})

test('never goes backwards', async ({ store }) => {
  const job = await store.running()
  await saveCheckpoint(store.db, job, at(4))
  expect(await saveCheckpoint(store.db, job, at(3))).toBe('refused')
  expect(await store.of('checkpoint', 'id', job.id)).toMatchObject([{ items: '4', cursor: { at: 4 } }])
})

test('notes which run moved the cursor on, and how often the job had been interrupted then', async ({ store }) => {
  const job = await store.running({}, 2)
  await store.rows('update holdfast.job set interruptions = 4 where id = $1', [job.id])
  const saved = async (items: number, cursor = '{}') => {
    await saveCheckpoint(store.db, job, { items, total: undefined, cursor, rate: undefined })
    return (await store.of('checkpoint', 'id', job.id))[0]
  }
  expect(await saved(0)).toMatchObject({ moved: 0 })
  expect(await saved(2, 'null')).toMatchObject({ moved: 0 })
  expect(await saved(3)).toMatchObject({ moved: 2, interruptions: 4 })
  await store.rows('update holdfast.job set interruptions = 5, run = 3 where id = $1', [job.id])
  Object.assign(job, { run: 3 })
  expect(await saved(3)).toMatchObject({ moved: 2, interruptions: 4 })
  expect(await saved(4)).toMatchObject({ moved: 3, interruptions: 5 })
})

test('tells what people asked of the job meanwhile', async ({ store }) => {
  const [cancelled, paused] = [await store.running(), await store.running()]
  await cancel(store.db, cancelled.id, { reason: 'wrong file', owner: 'ann' })
  await pauseJob(store.db, paused.id, { reason: 'busy', owner: 'ann' }, 60_000)
  expect(await saveCheckpoint(store.db, cancelled, at(1))).toEqual({
    action: 'cancel',
    reason: 'wrong file',
    until: undefined,
  })
  expect(await saveCheckpoint(store.db, paused, at(1))).toMatchObject({
    action: 'pause',
    reason: 'ann: busy',
    until: expect.any(Date),
  })
})

test('saves for a job that started at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  expect(await saveCheckpoint(store.db, job, at(1))).toBeUndefined()
})

refusesStaleFences(({ db }, fence) => saveCheckpoint(db, fence, at(1)), 'refused')

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  const plan = await store.plan('save_checkpoint', [ids[0], runs[0], 5, null, '{}', null])
  expectPlan(plan, { uses: ['job_pkey'], pages: 25 })
})
