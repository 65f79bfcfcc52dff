import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Database } from '../../../src/store/db.ts'
import { migrate, requireSchema, SCHEMA_VERSION, schemaState } from '../../../src/store/migrate.ts'
import { MIGRATIONS } from '../../../src/store/sql.gen.ts'
import { registerWorker } from '../../../src/store/workers.ts'
import { createDatabase, type TestDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

let database: TestDatabase
let schemas = 0
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())

/** As many processes as are wanted, over one schema that is not there yet. */
function open(count: number): Database[] {
  const schema = `migrated${++schemas}`
  return Array.from({ length: count }, () => {
    const db = new Database({ url: database.url, schema, connections: 2 })
    onTestFinished(() => db.close())
    return db
  })
}

test('ten processes that migrate at once apply each migration once', async () => {
  const processes = open(10)
  const applied = await Promise.all(processes.map((db) => migrate(db, '1.0.0')))
  expect(applied.flat().map(({ number }) => number)).toEqual(MIGRATIONS.map(({ number }) => number))
  const [db] = processes as [Database]
  expect(await schemaState(db)).toEqual({ version: SCHEMA_VERSION, pending: [], unknown: [] })
  await requireSchema(db)
  expect(await migrate(db, '1.0.0')).toEqual([])
})

test('a migration that meets a lock gives way, and comes back', async () => {
  const [done, db] = [...open(1), ...open(1)] as [Database, Database]
  await migrate(done, '1.0.0')
  await db.query(`create schema ${db.schema}`)
  await db.query(`create table ${db.schema}.migration (like ${done.schema}.migration including all)`)
  const waiting = `select count(*)::int as n from pg_locks l join pg_stat_activity a using (pid)
    where not l.granted and a.datname = current_database() and l.relation = '${db.schema}.migration'::regclass`
  const count = async () => ((await done.query(waiting)).rows[0] as { n: number }).n
  let migrated: ReturnType<typeof migrate> | undefined
  await done.transaction(async (client) => {
    // Reading goes on beside this lock, writing does not.
    await client.query(`lock table ${db.schema}.migration in share mode`)
    migrated = migrate(db, '1.0.0')
    await until(async () => (await count()) === 1, { what: 'the migration waits for the table' })
    // It must not stand there for ever: whoever comes after a waiting lock waits for it.
    await until(async () => (await count()) === 0, { what: 'the migration has given way' })
    await until(async () => (await count()) === 1, { what: 'the migration has come back' })
  })
  expect((await migrated)?.map(({ number }) => number)).toEqual(MIGRATIONS.map(({ number }) => number))
  await requireSchema(db)
})

test('a migration that meets a slow one of another process gives way too', async () => {
  const [db, other] = open(2) as [Database, Database]
  let migrated: ReturnType<typeof migrate> | undefined
  await other.transaction(async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`holdfast migrate ${db.schema}`])
    migrated = migrate(db, '1.0.0')
    const waiting = `select count(*)::int as n from pg_locks l join pg_stat_activity a using (pid)
      where not l.granted and a.datname = current_database() and l.locktype = 'advisory'`
    await until(async () => ((await other.query(waiting)).rows[0] as { n: number }).n === 1, {
      what: 'the migration waits',
    })
  })
  expect(await migrated).toHaveLength(MIGRATIONS.length)
})

test('a schema that a newer release broke with is refused, by migrate too', async () => {
  const [db] = open(1) as [Database]
  await migrate(db, '1.0.0')
  await db.query(
    `insert into ${db.schema}.migration (number, name, kind, release) values (99, 'drop', 'breaking', '9.0.0')`,
  )
  await expect(requireSchema(db)).rejects.toMatchObject({
    code: 'HF_SCHEMA_TOO_NEW',
    message: expect.stringMatching(/99 \(drop\)/),
  })
  await expect(migrate(db, '1.0.0')).rejects.toMatchObject({ code: 'HF_SCHEMA_TOO_NEW' })
})

test('a schema to which a newer release only added is as good as before', async () => {
  const [db] = open(1) as [Database]
  await migrate(db, '1.0.0')
  await db.query(
    `insert into ${db.schema}.migration (number, name, kind, release) values (99, 'more', 'additive', '9.0.0')`,
  )
  await requireSchema(db)
  expect(await migrate(db, '1.0.0')).toEqual([])
  expect(await schemaState(db)).toMatchObject({ version: 99, pending: [], unknown: [{ number: 99, name: 'more' }] })
})

test('a schema that is missing, or too old, is refused, and what it would need is said', async () => {
  const [db] = open(1) as [Database]
  await expect(requireSchema(db)).rejects.toMatchObject({
    code: 'HF_SCHEMA_TOO_OLD',
    message: expect.stringMatching(new RegExp(`no Holdfast schema "${db.schema}"`)),
  })
  await migrate(db, '1.0.0')
  await db.query(`delete from ${db.schema}.migration where number = $1`, [SCHEMA_VERSION])
  await expect(requireSchema(db)).rejects.toMatchObject({ code: 'HF_SCHEMA_TOO_OLD' })
})

test('a statement that meets a database without the schema says so', async () => {
  const [db] = open(1) as [Database]
  const worker = { name: 'w', build: 'b', release: '0', tasks: [], queues: [], manifest: {}, lease: 1_000 }
  await expect(registerWorker(db, worker)).rejects.toMatchObject({ code: 'HF_SCHEMA_TOO_OLD' })
})

test('a statement that meets a table without one of its columns says so', async () => {
  const [db] = open(1) as [Database]
  await migrate(db, '1.0.0')
  await db.query(`alter table ${db.schema}.worker drop column release`)
  const worker = { name: 'w', build: 'b', release: '0', tasks: [], queues: [], manifest: {}, lease: 1_000 }
  await expect(registerWorker(db, worker)).rejects.toMatchObject({ code: 'HF_SCHEMA_TOO_OLD' })
})

test('a migration that fails half-way leaves nothing behind', async () => {
  const [db] = open(1) as [Database]
  await db.query(`create schema ${db.schema}`)
  // The last table of the first migration is in the way.
  await db.query(`create table ${db.schema}.horizon (n int)`)
  await expect(migrate(db, '1.0.0')).rejects.toThrow(/horizon/)
  const { rows } = await db.query(
    `select relname from pg_class where relnamespace = '${db.schema}'::regnamespace and relkind = 'r'`,
  )
  expect(rows).toEqual([{ relname: 'horizon' }])
})
