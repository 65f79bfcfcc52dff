import { expect } from 'vitest'
import { fanOut } from '../../../src/store/parts.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const OTHERS = ['01990000-0000-7000-8000-000000000001', '01990000-0000-7000-8000-000000000002']

test('makes the job part 0, and enqueues one job more for each other part', async ({ store }) => {
  const job = await store.running({ input: '{"file":"f"}', version: 2 })
  expect(await fanOut(store.db, job, OTHERS)).toBe(true)
  const parts = await store.of('part', 'root', job.id)
  expect(parts.map(({ part, job: id }) => [part, id])).toEqual([
    [0, job.id],
    [1, OTHERS[0]],
    [2, OTHERS[1]],
  ])
  expect(parts.every(({ parts: all, finished }) => all === 3 && finished === false)).toBe(true)
  for (const id of OTHERS) {
    expect(await store.job(id)).toMatchObject({
      state: 0,
      run: 0,
      queue: 'mine',
      task: 'common',
      version: 2,
      input: { file: 'f' },
    })
  }
})

test('happens once only: a run that comes later finds the parts', async ({ store }) => {
  const job = await store.running()
  await fanOut(store.db, job, OTHERS)
  expect(
    await fanOut(store.db, job, ['01990000-0000-7000-8000-00000000000a', '01990000-0000-7000-8000-00000000000b']),
  ).toBe(true)
  expect(await store.of('part', 'root', job.id)).toHaveLength(3)
  await expect(store.job('01990000-0000-7000-8000-00000000000a')).rejects.toThrow()
})

refusesStaleFences(async ({ db }, fence) => fanOut(db, fence, OTHERS), false)

test('finds everything by its key, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(1)
  expectPlan(await store.plan('fan_out', [ids[0], runs[0], 3, OTHERS]), { uses: ['job_pkey', 'part_pkey'], pages: 30 })
})
