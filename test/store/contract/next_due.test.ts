import { expect } from 'vitest'
import { FROM_THE_BEGINNING, nextDue } from '../../../src/store/upkeep.ts'
import { expectPlan, test } from './support.ts'

test('tells how long until the next job is due', async ({ store }) => {
  await store.enqueued({ after: { kind: 'delay', ms: 30_000 } })
  await store.enqueued({ after: { kind: 'delay', ms: 10_000 } })
  const { ms } = await nextDue(store.db, FROM_THE_BEGINNING)
  expect(ms).toBeGreaterThan(5_000)
  expect(ms).toBeLessThanOrEqual(10_000)
})

test('is negative for what is overdue', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 0 } })
  await store.rows(`update holdfast.waiting set due_at = due_at - interval '5 s' where id = $1`, [id])
  expect((await nextDue(store.db, FROM_THE_BEGINNING)).ms).toBeLessThanOrEqual(-5_000)
})

test('is undefined when nothing waits', async ({ store }) => {
  await store.rows('create table holdfast.aside (like holdfast.waiting including all)')
  await store.rows('alter table holdfast.waiting rename to before; alter table holdfast.aside rename to waiting')
  expect((await nextDue(store.db, FROM_THE_BEGINNING)).ms).toBeUndefined()
})

test('looks only from where it is told, and tells where to look next: a minute ago', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 0 } })
  await store.rows(`update holdfast.waiting set due_at = '2020-01-01' where id = $1`, [id])
  const { ms, from } = await nextDue(store.db, '2020-01-02 00:00:00+00')
  expect(ms).toBeGreaterThan(0)
  const [ago] = await store.rows<{ s: number }>(
    `select extract(epoch from clock_timestamp() - $1::timestamptz)::float8 as s`,
    [from],
  )
  expect(ago?.s).toBeCloseTo(60, -1)
})

test.for([FROM_THE_BEGINNING, '2020-01-01 00:00:00+00'])(
  'reads the first entry of waiting_due from %s on',
  async (from, { store }) => {
    expectPlan(await store.plan('next_due', [from]), { uses: ['waiting_due'], pages: 30 })
  },
)
