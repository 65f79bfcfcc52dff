import { expect } from 'vitest'
import { pauseJob } from '../../../src/store/operations.ts'
import { FROM_THE_BEGINNING, promote } from '../../../src/store/upkeep.ts'
import { expectPlan, test } from './support.ts'

const due = { kind: 'delay', ms: 0 } as const

test('makes due jobs ready in the main lane, with fresh positions in the order of their time', async ({ store }) => {
  const second = await store.enqueued({
    after: due,
    input: '[1]',
    expires: { kind: 'at', iso: '2099-01-01T00:00:00Z' },
  })
  const first = await store.enqueued({ after: due, queue: 'other' })
  await store.rows(`update holdfast.waiting set due_at = due_at - interval '1 s' where id = $1`, [first.id])
  const later = await store.enqueued()
  const readied = await promote(store.db, 100, FROM_THE_BEGINNING)
  expect(readied).toEqual(
    expect.arrayContaining([
      { queue: 'mine', jobs: 1 },
      { queue: 'other', jobs: 1 },
    ]),
  )
  const [one, two, new_] = [await store.job(first.id), await store.job(second.id), await store.job(later.id)]
  expect(two).toMatchObject({ table: 'job', state: 0, lane: 1, input: [1], expires_at: '2099-01-01T00:00:00+00:00' })
  expect(one['position']).toBeLessThan(two['position'] as number)
  expect(new_['position']).toBeLessThan(one['position'] as number)
})

test('keeps run and counters', async ({ store }) => {
  const { id } = await store.enqueued({ after: due })
  await store.rows(
    'update holdfast.waiting set run = 3, failures = 2, interruptions = 4, losses = 5, crashes = 1 where id = $1',
    [id],
  )
  await promote(store.db, 100, FROM_THE_BEGINNING)
  expect(await store.job(id)).toMatchObject({ run: 3, failures: 2, interruptions: 4, losses: 5, crashes: 1 })
})

test('leaves what is not due yet', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 60_000 } })
  expect(await promote(store.db, 100, FROM_THE_BEGINNING)).toEqual([])
  expect(await store.job(id)).toMatchObject({ table: 'waiting' })
})

test('takes at most so many, the oldest first', async ({ store }) => {
  const [newer, older] = [await store.enqueued({ after: due }), await store.enqueued({ after: due })]
  await store.rows(`update holdfast.waiting set due_at = due_at - interval '1 s' where id = $1`, [older.id])
  expect(await promote(store.db, 1, FROM_THE_BEGINNING)).toEqual([{ queue: 'mine', jobs: 1 }])
  expect(await store.job(older.id)).toMatchObject({ table: 'job' })
  expect(await store.job(newer.id)).toMatchObject({ table: 'waiting' })
})

test('no pause is for ever', async ({ store }) => {
  const { id } = await store.enqueued()
  await pauseJob(store.db, id, { reason: 'r', owner: 'o' }, -1)
  expect(await promote(store.db, 100, FROM_THE_BEGINNING)).toEqual([{ queue: 'mine', jobs: 1 }])
  expect(await store.job(id)).toMatchObject({ table: 'job', state: 0 })
})

test('looks only from where it is told: what was due before was promoted', async ({ store }) => {
  const old = await store.enqueued({ after: due })
  await store.rows(`update holdfast.waiting set due_at = '2020-01-01' where id = $1`, [old.id])
  const recent = await store.enqueued({ after: due })
  expect(await promote(store.db, 100, '2020-01-02 00:00:00+00')).toEqual([{ queue: 'mine', jobs: 1 }])
  expect(await store.job(old.id)).toMatchObject({ table: 'waiting' })
  expect(await store.job(recent.id)).toMatchObject({ table: 'job' })
})

test.for([FROM_THE_BEGINNING, '2020-01-01 00:00:00+00'])(
  'finds what is due from %s on by waiting_due',
  async (from, { store }) => {
    await store.rows(
      `insert into holdfast.waiting (id, due_at, created_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
    select gen_random_uuid(), now(), now(), 0, 0, 0, 0, 0, 10, 5, 1, 'mine', 'common' from generate_series(1, 100)`,
    )
    expectPlan(await store.plan('promote', [1_000, from]), { uses: ['waiting_due'], pages: 1_800 })
  },
)
