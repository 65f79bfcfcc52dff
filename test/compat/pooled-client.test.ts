import pg from 'pg'
import { expect, test } from 'vitest'
import { Database } from '../../src/store/db.ts'
import { migrate, schemaState } from '../../src/store/migrate.ts'
import { square } from '../fixtures/apps/pooled.ts'
import { until } from '../support/until.ts'
import { usePooledStages } from './pooled.ts'

const stages = usePooledStages()

test('the server is the one that is meant: PostgreSQL 15, behind pgbouncer in transaction mode', async () => {
  await using stage = await stages()
  const [server] = await stage.sql<{ version: string }>(`select current_setting('server_version_num') as version`)
  if (process.env['HOLDFAST_COMPAT_POSTGRES'] === undefined) expect(server?.version).toMatch(/^15\d{4}$/)
  const pools = await stage.pooler.admin<{ database: string; pool_mode: string }>('show pools')
  expect(pools).toContainEqual(
    expect.objectContaining({ pool_mode: 'transaction', database: expect.stringMatching(/^test_/) }),
  )
})

test('what a session keeps is seen, in whichever session it is', async () => {
  await using stage = await stages()
  const client = new pg.Client({ connectionString: stage.database })
  await client.connect()
  await client.query('set idle_in_transaction_session_timeout = 12345')
  await client.query(`set holdfast.nonce = 'kept'`)
  await client.query('select pg_advisory_lock(77)')
  await client.query('listen kept')
  await client.query({ name: 'kept', text: 'select 1' })
  await client.query('declare kept cursor with hold for select 1')
  await client.end()
  const found = await stage.leftovers()
  const all = (what: 'settings' | 'locks' | 'channels' | 'prepared' | 'cursors') => found.flatMap((each) => each[what])
  expect(all('settings').sort()).toEqual(['holdfast.nonce = kept', 'idle_in_transaction_session_timeout = 12345'])
  expect(all('locks')).toEqual(['ExclusiveLock 77'])
  expect(all('channels')).toEqual(['kept'])
  expect(all('prepared')).toEqual(['kept: select 1'])
  expect(all('cursors')).toEqual(['kept'])
  // New sessions for the tests that follow.
  await stage.pooler.admin('reconnect')
  await until(async () => (await stage.leftovers()).length === 0, { what: 'the sessions are new ones' })
})

test('migrates, also when ten begin at once', async () => {
  await using stage = await stages()
  const databases = Array.from(
    { length: 10 },
    () => new Database({ url: stage.database, schema: 'ten', connections: 1 }),
  )
  const applied = await Promise.all(databases.map((database) => migrate(database, '0.0.0')))
  const state = await schemaState(databases[0] as Database)
  expect(state).toMatchObject({ pending: [], unknown: [] })
  expect(applied.flat().map(({ number }) => number)).toEqual(Array.from({ length: state.version }, (_, n) => n + 1))
  await Promise.all(databases.map((database) => database.close()))
  expect(await stage.leftovers()).toEqual([])
})

test('enqueues alone, sharing statements, by the thousand, and inside the transactions of its caller', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const count = async () => (await stage.sql<{ n: number }>('select count(*)::int as n from :schema.job'))[0]?.n

  await jobs.enqueue(square, { n: 0 })
  await Promise.all(
    Array.from({ length: 200 }, (_, n) => jobs.enqueue(square, { n }, { queue: n % 2 ? 'bulk' : 'default' })),
  )
  await jobs.enqueueMany(
    square,
    Array.from({ length: 5_000 }, (_, n) => ({ n })),
  )
  expect(await count()).toBe(5_201)

  // As many transactions as the pool has room for, the first by a client with a time zone of its own.
  const pool = new pg.Pool({ connectionString: stage.database, max: 4 })
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const tx = await pool.connect()
      await tx.query('begin')
      if (n % 2 === 0) await tx.query(`set local time zone 'Asia/Tokyo'`)
      await jobs.enqueue(square, { n }, { tx })
      await tx.query(n < 10 ? 'commit' : 'rollback')
      tx.release()
    }),
  )
  await pool.end()
  expect(await count()).toBe(5_211)
  expect(await stage.leftovers()).toEqual([])
})
