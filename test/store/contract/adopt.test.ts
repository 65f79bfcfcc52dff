import { expect } from 'vitest'
import { adopt, loadCheckpoint, saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { expectPlan, readyIds, refusesStaleFences, test } from './support.ts'

const to = { version: 3, input: '{"id":"7"}', cursor: '{"after":"7"}' }

test('raises the version of a job together with its input and its cursor', async ({ store }) => {
  const job = await store.running({ version: 1, input: '7' })
  await saveCheckpoint(store.db, job, { items: 5, total: 9, cursor: '7', rate: undefined })
  expect(await adopt(store.db, job, to)).toBe(true)
  expect(await store.job(job.id)).toMatchObject({ version: 3, input: { id: '7' }, state: 1, run: job.run })
  expect(await loadCheckpoint(store.db, job)).toMatchObject({
    items: 5,
    total: 9,
    cursor: { after: '7' },
    resumes: true,
  })
})

test('leaves the cursor as it is, and makes none', async ({ store }) => {
  const begun = await store.running({ input: '7' })
  await saveCheckpoint(store.db, begun, { items: 5, total: undefined, cursor: '"x"', rate: undefined })
  expect(await adopt(store.db, begun, { ...to, cursor: null, input: null })).toBe(true)
  expect(await loadCheckpoint(store.db, begun)).toMatchObject({ cursor: 'x' })
  expect(await store.job(begun.id)).toMatchObject({ version: 3, input: null })
  await store.rows('update holdfast.job set state = 0 where id = $1', [begun.id])

  const fresh = await store.running({ input: '7', queue: 'mine' })
  expect(await adopt(store.db, fresh, to)).toBe(true)
  expect(await store.of('checkpoint', 'id', fresh.id)).toEqual([])
})

refusesStaleFences(async (store, fence) => adopt(store.db, fence, to), false)

test('finds its rows by their keys, at a million rows', async ({ store }) => {
  const [id] = readyIds(1)
  const plan = await store.plan('adopt', [id, 1, 2, 'null', 'null'])
  expectPlan(plan, { uses: ['job_pkey'], pages: 40 })
})
