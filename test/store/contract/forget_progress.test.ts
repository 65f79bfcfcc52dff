import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { FIRST_PROGRESS, forgetProgress } from '../../../src/store/partitions.ts'
import { delay } from '../../../src/store/settles.ts'
import { expectPlan, type Store, test } from './support.ts'

/** In front of those of the million. */
const id = (n: number) => `00000000-0000-7000-8000-00000000000${n}`

/** Progress of no job, by age. */
async function progress(store: Store, ages: Record<string, string>): Promise<void> {
  for (const [key, age] of Object.entries(ages)) {
    await store.rows(
      'insert into holdfast.checkpoint (id, run, items, updated_at) values ($1, 1, 1, now() - $2::interval)',
      [key, age],
    )
  }
}

async function left(store: Store): Promise<unknown[]> {
  const rows = await store.rows<{ id: string }>(
    `select id from holdfast.checkpoint where id < '00000001-0000-0000-0000-000000000000' order by id`,
  )
  return rows.map((row) => row.id)
}

test('deletes old progress of no job, so many rows at a time, and begins again at the end', async ({ store }) => {
  await progress(store, { [id(1)]: '2 hours', [id(2)]: '59 minutes', [id(3)]: '2 hours', [id(4)]: '2 hours' })
  const next = await forgetProgress(store.db, FIRST_PROGRESS, 3)
  expect(next).toBe(id(3))
  expect(await left(store)).toEqual([id(2), id(4)])
  expect(await forgetProgress(store.db, next, 1)).toBe(id(4))
  expect(await left(store)).toEqual([id(2)])
  expect(await forgetProgress(store.db, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 3)).toBe(FIRST_PROGRESS)
})

test('keeps the progress of jobs that run, are ready or wait', async ({ store }) => {
  const worker = await store.worker()
  const job = { items: 1, total: undefined, cursor: '1', rate: undefined }
  const { id: running } = await store.enqueued({ id: id(1) })
  const { id: waiting } = await store.enqueued({ id: id(2) })
  const none = { worker, claims: [] }
  for (const { id, run } of await store.claim(worker)) await saveCheckpoint(store.db, { id, run }, job)
  const until = { kind: 'delay', ms: 60_000 } as const
  await delay(store.db, [{ id: waiting, run: 1, state: 12, until, failed: false, reason: null, error: null }], none)
  await store.enqueued({ id: id(3) })
  await progress(store, { [id(3)]: '2 hours' })
  await store.rows(`update holdfast.checkpoint set updated_at = now() - interval '2 hours' where id = any($1)`, [
    [running, waiting],
  ])
  await forgetProgress(store.db, FIRST_PROGRESS, 100)
  expect(await left(store)).toEqual([running, waiting, id(3)])
})

test('looks each row up, among a million jobs', async ({ store }) => {
  await store.rows(`update holdfast.checkpoint set updated_at = now() - interval '2 hours' where id in (
    select id from holdfast.checkpoint order by id limit 100)`)
  expectPlan(await store.plan('forget_progress', [FIRST_PROGRESS, 100]), {
    uses: ['checkpoint_pkey', 'job_pkey', 'waiting_pkey'],
    pages: 3_000,
  })
})
