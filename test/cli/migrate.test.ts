import pg from 'pg'
import { expect, test } from 'vitest'
import { SCHEMA_VERSION } from '../../src/store/migrate.ts'
import { createDatabase } from '../support/database.ts'
import { cli, cliJson } from './support.ts'

test('says what it would apply, applies it, and has nothing left to do', async () => {
  await using database = await createDatabase()
  const how = { env: { DATABASE_URL: database.url } }
  const args = ['migrate', '--schema', 'jobs']
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const schemas = async () =>
    (await client.query("select from information_schema.schemata where schema_name = 'jobs'")).rowCount

  const [dry, plain, sql] = await Promise.all([
    cliJson([...args, '--dry-run'], how),
    cli([...args, '--dry-run'], how),
    cli([...args, '--dry-run', '--sql'], how),
  ])
  expect(dry).toMatchObject({ schema: 'jobs', dryRun: true, from: 0, to: SCHEMA_VERSION })
  expect(dry.migrations[0]).toEqual({ number: 1, name: 'init', kind: 'additive' })
  expect(dry.database).not.toContain(new URL(database.url).password || 'postgres:postgres')
  expect(plain).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/version 0 to \d+\nNUMBER.*\n1 +additive +init/),
  })
  expect(sql.stdout).toContain('create table jobs.job (')
  expect(await schemas()).toBe(0)

  // Ten releases that start at once: each says the truth about what it did.
  const done = await Promise.all([1, 2, 3].map(() => cliJson(args, how)))
  expect(done.flatMap(({ migrations }) => migrations.map((each: { number: number }) => each.number))).toEqual(
    Array.from({ length: SCHEMA_VERSION }, (_, index) => index + 1),
  )
  expect(await schemas()).toBe(1)
  expect((await cli(args, how)).stdout).toContain(`is up to date, at version ${SCHEMA_VERSION}`)

  await client.query("insert into jobs.migration (number, name, kind, release) values (9000, 'later', 'breaking', '9')")
  const refused = await cli([...args, '--dry-run'], how)
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[HF_SCHEMA_TOO_NEW]') })
  await client.end()
})
