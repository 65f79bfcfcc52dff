import { expect } from 'vitest'
import { expectPlan, readyIds, test } from './support.ts'

test('puts jobs away until their time', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'at', iso: '2090-01-01T00:00:00Z' }, priority: 2, input: '[1]' })
  expect(await store.job(id)).toMatchObject({
    ...{
      table: 'waiting',
      state: 10,
      due_at: '2090-01-01T00:00:00+00:00',
      priority: 2,
      input: [1],
      run: 0,
      failures: 0,
    },
  })
})

test('counts a delay by the clock of the database', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 60_000 }, expires: { kind: 'delay', ms: 90_000 } })
  const [left] = await store.rows<{ due: number; expires: number }>(
    `select extract(epoch from due_at - clock_timestamp())::float8 as due, extract(epoch from expires_at - clock_timestamp())::float8 as expires
    from holdfast.waiting where id = $1`,
    [id],
  )
  expect(left?.due).toBeCloseTo(60, -1)
  expect(left?.expires).toBeCloseTo(90, -1)
})

test('cannot be claimed before its time', async ({ store }) => {
  await store.enqueued({ after: { kind: 'delay', ms: 60_000 } })
  expect(await store.claim(await store.worker())).toEqual([])
})

test('writes all or none', async ({ store }) => {
  const { id } = await store.enqueued({ after: { kind: 'delay', ms: 1 } })
  const after = { kind: 'delay', ms: 1 } as const
  expect(await store.refused(() => store.enqueued({ id, after }))).toBe('23505')
})

test('costs a few pages a job, among many', async ({ store }) => {
  const ids = readyIds(100).map((id) => id.replace(/^0198/, '0199'))
  const all = <T>(value: T) => ids.map(() => value)
  const values = [
    ids,
    all('million'),
    all('common'),
    all(1),
    all(5),
    all('{}'),
    all(null),
    all(null),
    all(1000),
    all(null),
  ]
  expectPlan(await store.plan('enqueue_later', values), { uses: [], pages: 1_500 })
})
