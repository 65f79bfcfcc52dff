import pg from 'pg'
import { expect, test } from 'vitest'
import { Database } from '../../src/store/db.ts'
import { migrate, SCHEMA_VERSION } from '../../src/store/migrate.ts'
import { createDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

test('a session that saw no schema, and waited while another one made it, goes on from there', async () => {
  await using database = await createDatabase()
  const other = new pg.Client({ connectionString: database.url })
  await other.connect()
  await other.query('begin')
  await other.query(`select pg_advisory_xact_lock(hashtextextended('holdfast migrate fresh', 0))`)

  const db = new Database({ url: database.url, schema: 'fresh', connections: 1 })
  // A session that has done this before needs to read nothing, and so learns nothing of what others did meanwhile.
  await db.query('create schema another')
  const migrating = migrate(db, '0.0.0')
  const waiting = `select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = $1)`
  await until(async () => (await other.query(waiting, [database.name])).rowCount === 1, { what: 'it waits its turn' })
  await other.query('create schema fresh')
  await other.query('commit')

  expect((await migrating).at(-1)?.number).toBe(SCHEMA_VERSION)
  await Promise.all([db.close(), other.end()])
})
