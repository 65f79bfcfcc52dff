import { expect } from 'vitest'
import { expectPlan, test } from './support.ts'

test('lets the BRIN of each day know the jobs that ended since', async ({ store }) => {
  await store.db.run('summarize', [])
  await store.rows(
    `insert into holdfast.history (id, created_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
    select gen_random_uuid(), now(), 1, 0, 0, 0, 0, 20, 5, 1, 'mine', 'common' from generate_series(1, 3000)`,
  )
  const [row] = await store.db.run<{ ranges: number }>('summarize', [])
  expect(row?.ranges).toBeGreaterThan(1)
  expect(await store.db.run('summarize', [])).toEqual([{ ranges: 0 }])
})

test('reads nothing when there is nothing new, among a million', async ({ store }) => {
  await store.db.run('summarize', [])
  expectPlan(await store.plan('summarize', []), { uses: [], pages: 400 })
})
