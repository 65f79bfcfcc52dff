import { describe, expect } from 'vitest'
import { claim } from '../../../src/store/claims.ts'
import { BANDS, expectPlan, type Store, somewhere, test } from './support.ts'

const request = (worker: number, more: object = {}) => ({
  ...{ worker, claim: 1, queue: 'mine', tasks: '{common}', most: 100, bands: BANDS },
  ...more,
})

test('takes ready jobs in order, with a run more, and notes them in the ledger', async ({ store }) => {
  const worker = await store.worker()
  const jobs = [await store.enqueued({ input: '{"n":1}' }), await store.enqueued(), await store.enqueued()]
  const taken = await claim(store.db, request(worker, { most: 2 }))
  expect(taken.map((job) => job.id)).toEqual([jobs[0]?.id, jobs[1]?.id])
  expect(taken[0]).toMatchObject({
    run: 1,
    task: 'common',
    version: 1,
    input: '{"n":1}',
    lane: 1,
    priority: 5,
    claim: 1,
  })
  expect(taken[0]).toMatchObject({
    failures: 0,
    interruptions: 0,
    crashes: 0,
    losses: 0,
    expired: false,
    queue: 'mine',
  })
  expect(await store.job(jobs[0]?.id as string)).toMatchObject({ state: 1, run: 1, worker })
  expect(await store.of('ledger', 'worker', worker)).toEqual([
    { worker, claim: '1', ids: taken.map((job) => job.id), runs: [1, 1] },
  ])
})

test('looks in the bands in the given order, above each mark, and takes no more of one than it says', async ({
  store,
}) => {
  const worker = await store.worker()
  const [low, high, high2] = [
    await store.enqueued({ priority: 7 }),
    await store.enqueued({ priority: 2 }),
    await store.enqueued({ priority: 2 }),
  ]
  const { position } = (await store.job(high.id)) as { position: number }
  const band = (priority: number, mark = 0, most = 9) => ({ lane: 1, priority, mark, most })
  const look = async (most: number, bands: object[]) => {
    await store.db.query('savepoint look')
    const taken = await claim(store.db, request(worker, { most, bands }))
    await store.db.query('rollback to savepoint look')
    return new Set(taken.map((job) => job.id))
  }
  expect(await look(1, [band(2), band(7)])).toEqual(new Set([high.id]))
  expect(await look(2, [band(2), band(7)])).toEqual(new Set([high.id, high2.id]))
  expect(await look(2, [band(7), band(2)])).toEqual(new Set([low.id, high.id]))
  expect(await look(9, [band(2, 0, 1), band(7)])).toEqual(new Set([high.id, low.id]))
  expect(await look(9, [band(2, position)])).toEqual(new Set([high2.id]))
})

test('says which jobs had expired', async ({ store }) => {
  const worker = await store.worker()
  await store.enqueued({ expires: { kind: 'delay', ms: -1 } })
  await store.enqueued({ expires: { kind: 'delay', ms: 60_000 } })
  expect((await claim(store.db, request(worker))).map((job) => job.expired)).toEqual([true, false])
})

test('says of a job what differs from a plain one, whatever it is', async ({ store }) => {
  const worker = await store.worker()
  const plain = {
    lane: 1,
    priority: 5,
    version: 1,
    failures: 0,
    interruptions: 0,
    crashes: 0,
    losses: 0,
    expired: false,
  }
  for (const [number, other] of Object.entries({
    lane: 0,
    priority: 4,
    failures: 1,
    interruptions: 2,
    crashes: 3,
    losses: 4,
  }).entries()) {
    const { id } = await store.enqueued()
    const [column, value] = other
    await store.rows(`update holdfast.job set ${column} = $2 where id = $1`, [id, value])
    const bands = [0, 1].flatMap((lane) => [4, 5].map((priority) => ({ lane, priority, mark: 0, most: 1 })))
    const [taken] = await claim(store.db, request(worker, { claim: number + 1, most: 1, bands }))
    expect(taken).toMatchObject({ id, ...plain, [column]: value })
  }
})

test('takes of a task the versions that are asked for', async ({ store }) => {
  const worker = await store.worker()
  const [first, second, third] = [
    await store.enqueued(),
    await store.enqueued({ version: 2 }),
    await store.enqueued({ version: 3 }),
  ]
  const look = async (tasks: string, number: number) =>
    (await claim(store.db, request(worker, { tasks, claim: number }))).map(({ id, version }) => ({ id, version }))
  expect(await look('{common@3,other}', 1)).toEqual([{ id: third.id, version: 3 }])
  expect(await look('{common,common@2}', 2)).toEqual([
    { id: first.id, version: 1 },
    { id: second.id, version: 2 },
  ])
})

test('keeps no row in the ledger for a claim that found nothing', async ({ store }) => {
  const worker = await store.worker()
  expect(await claim(store.db, request(worker))).toEqual([])
  expect(await store.of('ledger', 'worker', worker)).toEqual([])
})

describe('takes nothing', () => {
  const CASES: Record<string, (store: Store) => Promise<object>> = {
    'for a revoked worker': async (store) => {
      const worker = await store.worker()
      await store.db.run('revoke_worker', [worker, true, false])
      return request(worker)
    },
    'for a revoked worker whose hold somebody lifts': async (store) => {
      const worker = await store.worker()
      await store.db.run('revoke_worker', [worker, true, false])
      await store.rows('update holdfast.worker set claiming = true where key = $1', [worker])
      return request(worker)
    },
    'for a worker that is held': async (store) => {
      const worker = await store.worker()
      await store.rows('update holdfast.worker set claiming = false where key = $1', [worker])
      return request(worker)
    },
    'for an unknown worker': async () => request(-1),
    'of a task that the worker does not know': async (store) => request(await store.worker(), { tasks: '{other}' }),
    'of a version that the worker does not take': async (store) => {
      const worker = await store.worker()
      await store.rows('update holdfast.job set version = 2 where queue = $1', ['mine'])
      return request(worker, { tasks: '{common,common@1,common@3}' })
    },
    'of another queue': async (store) => request(await store.worker(), { queue: 'other' }),
  }
  test.for(Object.entries(CASES))('%s', async ([, arrange], { store }) => {
    const { id } = await store.enqueued()
    expect(await claim(store.db, (await arrange(store)) as never)).toEqual([])
    expect(await store.job(id)).toMatchObject({ state: 0, run: 0 })
  })

  test('that runs already', async ({ store }) => {
    const { id, worker, run } = await store.running()
    expect(await claim(store.db, request(worker, { claim: 2 }))).toEqual([])
    expect(await store.job(id)).toMatchObject({ state: 1, run })
  })
})

test('probes job_ready once a band, at a million rows', async ({ store }) => {
  const worker = await store.worker()
  const bands = [0, 1].flatMap((lane) => [...'0123456789'].map((priority) => ({ lane, priority: Number(priority) })))
  const plan = await store.plan('claim', [
    ...[worker, 1, 'million', '{common}', 100],
    bands.map(({ lane }) => lane),
    bands.map(({ priority }) => priority),
    bands.map(() => 0),
    bands.map(() => 100),
  ])
  expectPlan(plan, { uses: ['job_ready'], pages: 700, dead: 1_400 })
})

test('stays a HOT update: the share is above 0.95', async ({ store }) => {
  const worker = await store.worker()
  const before = await updates(store)
  const bands = [{ lane: 1, priority: 5, mark: somewhere(), most: 500 }]
  for (let number = 1; number <= 10; number++) {
    await claim(store.db, request(worker, { claim: number, queue: 'million', most: 500, bands }))
  }
  const after = await updates(store)
  expect(after.all - before.all).toBe(5_000)
  expect((after.hot - before.hot) / 5_000).toBeGreaterThan(0.95)
})

/** Updates of `job` by this session that the server has not yet added to its statistics: compare two looks within a moment. */
async function updates(store: Store): Promise<{ all: number; hot: number }> {
  const [row] = await store.rows<{ all: number; hot: number }>(
    `select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_xact_user_tables where relid = 'holdfast.job'::regclass`,
  )
  return row ?? { all: 0, hot: 0 }
}
