import pg from 'pg'
import { expect, test } from 'vitest'
import { nameArray, plainArray } from '../../src/store/arrays.ts'
import { type Claimed, claim } from '../../src/store/claims.ts'
import { openPool } from '../../src/store/connect.ts'
import { Database, type QueryAnswer } from '../../src/store/db.ts'
import { enqueue } from '../../src/store/enqueue.ts'
import { PREPARED, sendPrepared } from '../../src/store/prepared.ts'
import { complete } from '../../src/store/settles.ts'
import type { StatementName } from '../../src/store/statements.ts'
import { registerWorker } from '../../src/store/workers.ts'
import { newJob } from '../support/new-job.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { expectPlan, readPlan } from './contract/plan.ts'

const stages = useStages()

const MANY = 100_000

/** A database object of which one connection is for the hot path, so that what its session keeps can be asked for. */
class OneSession extends Database {
  readonly hot: pg.Pool

  constructor({ database, schema }: Stage) {
    super({ url: database, schema, connections: 1 })
    this.hot = openPool(database, 1)
  }

  override query(text: string, values: readonly unknown[] = [], name?: StatementName): Promise<QueryAnswer> {
    if (name === undefined || !PREPARED.has(name)) return super.query(text, values)
    return sendPrepared(this.hot, { name, text, values })
  }

  override async close(): Promise<void> {
    await Promise.all([super.close(), this.hot.end()])
  }
}

async function oneSession(s: Stage) {
  const db = new OneSession(s)
  const registration = { name: 'w', build: 'b', release: '0', tasks: ['common'], queues: ['default'], manifest: {} }
  const worker = await registerWorker(db, { ...registration, lease: 600_000 })
  let claims = 0
  const claimOf = (most: number) => ({
    worker,
    claim: ++claims,
    queue: 'default',
    tasks: '{common}',
    most,
    bands: [{ lane: 1, priority: 5, mark: 0, most }],
  })
  const endsOf = (jobs: readonly Claimed[]) => jobs.map(({ id, run, tid }) => ({ id, run, tid, result: null }))
  return {
    db,
    claim: (most: number) => claim(db, claimOf(most)),
    complete: (jobs: readonly Claimed[]) =>
      complete(db, endsOf(jobs), true, { worker, claims: [...new Set(jobs.map((job) => job.claim))] }),
    enqueue: () => enqueue(db, [newJob({ queue: 'default' })], null),
    async kept() {
      const { rows } = await db.hot.query(
        'select name, generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements order by name',
      )
      return rows
    },
    /** How the session executes what it has prepared. */
    async plan(name: string, values: readonly unknown[]) {
      const literals = values.map((value) => (typeof value === 'string' ? pg.escapeLiteral(value) : String(value)))
      const text = `explain (analyze, buffers, format json) execute ${name}(${literals.join(', ')})`
      const { rows } = await db.hot.query(text)
      return readPlan(rows[0]['QUERY PLAN'][0])
    },
    claimValues: (most: number) => [worker, ++claims, 'default', '{common}', most, '{1}', '{5}', '{0}', `{${most}}`],
    completeValues: (jobs: readonly Claimed[]) => [
      plainArray(jobs.map(({ id }) => id)),
      plainArray(jobs.map(({ run }) => run)),
      nameArray(jobs.map(({ tid }) => tid)),
      '{}',
      true,
      worker,
      `{${jobs[0]?.claim}}`,
    ],
    [Symbol.asyncDispose]: () => db.close(),
  }
}

test('a session of its own keeps the statements of the hot path, each planned once, and no others', async () => {
  await using s = await stages()
  await using session = await oneSession(s)
  expect(await session.kept()).toEqual([])
  for (let turn = 0; turn < 7; turn++) {
    await session.enqueue()
    const jobs = await session.claim(10)
    expect(jobs).toHaveLength(1)
    expect(await session.complete(jobs)).toEqual(new Set())
  }
  expect(await session.kept()).toEqual([
    { name: 'claim', generic: 7, custom: 0 },
    { name: 'complete', generic: 7, custom: 0 },
    { name: 'enqueue', generic: 7, custom: 0 },
  ])
})

test('a database object sends them that way', async () => {
  await using s = await stages()
  const db = new Database({ url: s.database, schema: s.schema, connections: 1 })
  await enqueue(db, [newJob({ queue: 'default' })], null)
  // The driver keeps one text for each name that a connection has prepared.
  await expect(db.query('select 1', [], 'enqueue')).rejects.toThrow('was used for a different statement')
  await db.close()
})

for (const counted of ['never', 'when there was one', 'when there was none']) {
  test(`a plan that was made on an empty table, counted ${counted}, is as good among ${MANY} jobs`, async () => {
    await using s = await stages()
    await using session = await oneSession(s)
    // Not before the end of the test: its count would call for another plan.
    await s.sql('alter table :schema.job set (autovacuum_enabled = off)')
    if (counted === 'when there was none') await s.sql('vacuum analyze :schema.job')
    await session.enqueue()
    if (counted === 'when there was one') await s.sql('vacuum analyze :schema.job')
    await session.complete(await session.claim(10))
    await s.sql(
      `insert into :schema.job (id, queue, task) select gen_random_uuid(), 'default', 'common' from generate_series(1, ${MANY})`,
    )
    expectPlan(await session.plan('claim', session.claimValues(500)), { uses: ['job_ready'], pages: 2_500 })
    const jobs = await session.claim(500)
    expect(jobs).toHaveLength(500)
    expectPlan(await session.plan('complete', session.completeValues(jobs)), { uses: [], pages: 4_000 })
  })
}

test('where the server has lost what was prepared, the statement goes without, once and for all', async () => {
  await using s = await stages()
  await using session = await oneSession(s)
  await session.enqueue()
  expect(await session.claim(10)).toHaveLength(1)
  // As by a pooler that hands on the process ids of the server.
  await session.db.hot.query('deallocate all')
  await session.enqueue()
  expect(await session.claim(10)).toHaveLength(1)
  expect(await session.kept()).toEqual([])
})

test('what a prepared statement is refused for is told as of any other, and the next one goes on', async () => {
  await using s = await stages()
  await using session = await oneSession(s)
  const job = newJob({ queue: 'default' })
  await enqueue(session.db, [job], null)
  await expect(enqueue(session.db, [job], null)).rejects.toMatchObject({ code: '23505' })
  expect(await session.claim(10)).toHaveLength(1)
})
