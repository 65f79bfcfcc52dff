import pg from 'pg'
import { expect, test } from 'vitest'
import { createDatabase } from './database.ts'

test('gives an empty UTF-8 database, copies a template, and drops it with its connections', async () => {
  await using first = await createDatabase()
  const client = new pg.Client({ connectionString: first.url })
  await client.connect()
  const { rows } = await client.query(`select current_setting('server_encoding') as encoding`)
  expect(rows).toEqual([{ encoding: 'UTF8' }])
  await client.query('create table kept (id int)')
  await client.end()

  await using copy = await createDatabase({ template: first.name })
  const other = new pg.Client({ connectionString: copy.url })
  other.on('error', () => {})
  await other.connect()
  expect((await other.query('select count(*)::int as n from kept')).rows).toEqual([{ n: 0 }])
  await copy.drop()
  await expect(other.query('select 1')).rejects.toThrow()
})
