import { expect } from 'vitest'
import { runningJobs } from '../../../src/store/gate.ts'
import { handBack } from '../../../src/store/settles.ts'
import { expectPlan, test } from './support.ts'

test('what workers run now: not what they gave back, not what others run', async ({ store }) => {
  const [one, two] = [await store.worker(), await store.worker()]
  for (let made = 0; made < 4; made++) await store.enqueued()
  const [first, second] = await store.claim(one, 2)
  const [third, fourth] = await store.claim(two, 2)
  await handBack(store.db, [{ id: second?.id ?? '', run: 1, interrupted: false, reason: null }], {
    worker: one,
    claims: [],
  })
  expect(await runningJobs(store.db, [one])).toMatchObject([
    { worker: one, id: first?.id, run: 1, task: 'common', queue: 'mine', age_ms: expect.any(Number) },
  ])
  const all = (await runningJobs(store.db, [one, two])).map(({ id }) => id)
  expect(new Set(all)).toEqual(new Set([first?.id, third?.id, fourth?.id]))
  expect(await runningJobs(store.db, [])).toEqual([])
})

test('goes by the ledger, at a million jobs', async ({ store }) => {
  const { worker } = await store.holding(100)
  expectPlan(await store.plan('running_jobs', [[worker]]), { uses: ['ledger_pkey', 'job_pkey'], pages: 700 })
})
