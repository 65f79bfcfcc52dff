import { expect } from 'vitest'
import { enqueue } from '../../../src/store/enqueue.ts'
import { newJob } from '../../support/new-job.ts'
import { expectPlan, readyIds, test } from './support.ts'

test('makes jobs ready at once, with positions in their order', async ({ store }) => {
  const jobs = [
    newJob({ priority: 1, version: 3, input: '{"a":"ä"}' }),
    newJob(),
    newJob({ queue: 'null', task: 'a.b:c/d-e' }),
  ]
  await enqueue(store.db, jobs, null)
  const rows = []
  for (const { id } of jobs) rows.push(await store.job(id))
  expect(rows[0]).toMatchObject({ table: 'job', state: 0, lane: 1, run: 0, priority: 1, version: 3, input: { a: 'ä' } })
  expect(rows[1]).toMatchObject({ input: null, expires_at: null, worker: null, started_at: null })
  expect(rows[2]).toMatchObject({ queue: 'null', task: 'a.b:c/d-e' })
  const positions = rows.map((row) => row['position'] as number)
  expect(positions).toEqual(positions.toSorted((one, other) => one - other))
  expect(new Set(positions).size).toBe(3)
})

test('lets them expire after a time by the clock of the database, or at a moment', async ({ store }) => {
  const [after, at] = [
    newJob({ expires: { kind: 'delay', ms: 60_000 } }),
    newJob({ expires: { kind: 'at', iso: '2090-01-01T00:00:00Z' } }),
  ]
  await enqueue(store.db, [after, at], null)
  const [left] = await store.rows<{ ms: number }>(
    'select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from holdfast.job where id = $1',
    [after.id],
  )
  expect(left?.ms).toBeGreaterThan(50_000)
  expect(left?.ms).toBeLessThanOrEqual(60_000)
  expect(await store.job(at.id)).toMatchObject({ expires_at: '2090-01-01T00:00:00+00:00' })
})

test('writes all or none: an id that is taken refuses the others too', async ({ store }) => {
  const [fresh, taken] = [newJob(), newJob({ id: readyIds(1)[0] as string })]
  expect(await store.refused(() => enqueue(store.db, [fresh, taken], null))).toBe('23505')
  await expect(store.job(fresh.id)).rejects.toThrow()
})

test('wakes listeners in the same statement', async ({ store }) => {
  // A notification reaches its own session too, at commit; here the transaction is ours to commit, with nothing written in it.
  const heard: (string | undefined)[] = []
  store.client.on('notification', (message) => heard.push(message.payload))
  await store.db.query(`listen ${store.db.channel}`)
  await store.db.query('commit; begin')
  const none = ['{}', '{}', '{}', '{}', '{}', [], '{}', '{}']
  await store.db.run('enqueue', [...none, store.db.channel, 'mine'])
  await store.db.run('enqueue', [...none, null, null])
  await store.db.query('commit')
  await store.db.query(`unlisten ${store.db.channel}; begin`)
  expect(heard).toEqual(['mine'])
})

test('costs a few pages a job, among a million', async ({ store }) => {
  const ids = readyIds(100).map((id) => id.replace(/^0198/, '0199'))
  const all = <T>(value: T) => ids.map(() => value)
  const values = [ids, all('million'), all('common'), all(1), all(5), all('{}'), all(null), all(null), null, null]
  expectPlan(await store.plan('enqueue', values), { uses: [], pages: 1_500 })
})
