import { expect } from 'vitest'
import { cancel, pauseJob, unseenCancels } from '../../../src/store/operations.ts'
import { delay, handBack } from '../../../src/store/settles.ts'
import { expectPlan, test } from './support.ts'

const by = { reason: 'not needed', owner: 'ann' }

test('names what was to be cancelled and is ready again, or waits', async ({ store }) => {
  const back = await store.running()
  const away = await store.running()
  for (const { id } of [back, away]) await cancel(store.db, id, by)
  expect(await unseenCancels(store.db)).toEqual([])
  await handBack(store.db, [{ ...back, interrupted: true, reason: 'deploy' }], { worker: back.worker, claims: [] })
  const until = { kind: 'delay', ms: 60_000 } as const
  const retry = { ...away, state: 11, until, reason: 'failed', failed: true, error: null }
  await delay(store.db, [retry], { worker: away.worker, claims: [] })
  const found = await unseenCancels(store.db)
  expect(found.map(({ id }) => id).sort()).toEqual([back.id, away.id].sort())
  expect(found[0]).toMatchObject({ reason: by.reason, owner: by.owner })
})

test('leaves what runs, what has ended, and what is only to rest', async ({ store }) => {
  const running = await store.running()
  await cancel(store.db, running.id, by)
  const resting = await store.running()
  await pauseJob(store.db, resting.id, by, 60_000)
  await handBack(store.db, [{ ...resting, interrupted: true, reason: 'deploy' }], {
    worker: resting.worker,
    claims: [],
  })
  expect(await unseenCancels(store.db)).toEqual([])
})

test('looks up the few jobs that something was asked of, at a million rows', async ({ store }) => {
  const { ids } = await store.holding(50)
  for (const id of ids) await cancel(store.db, id, by)
  expectPlan(await store.plan('unseen_cancels', []), { uses: ['job_pkey', 'waiting_pkey'], pages: 5_000 })
})
