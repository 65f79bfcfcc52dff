import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly name: string
  /** Drops the database, open connections included. */
  drop(): Promise<void>
}

export interface CreateDatabaseOptions {
  /** Name of a database to copy; nobody may be connected to it. An empty database when omitted. */
  readonly template?: string
  /** The server, for code outside vitest; in a test it is the run's own server. */
  readonly server?: string
}

/**
 * A fresh database of its own for a test or a file of tests: `await using database = await createDatabase()`.
 */
export async function createDatabase(options: CreateDatabaseOptions = {}): Promise<TestDatabase> {
  const server = options.server ?? inject('serverUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  const template = options.template ?? 'template0'
  await admin(server, async (client) => {
    // Copying files beats writing every page to the log, but only from version 15 on can one choose.
    const version = Number((await client.query('show server_version_num')).rows[0].server_version_num)
    const strategy = version >= 150000 ? 'strategy file_copy' : ''
    await client.query(
      `create database ${pg.escapeIdentifier(name)} template ${pg.escapeIdentifier(template)} ${strategy}`,
    )
  })
  const url = new URL(server)
  url.pathname = `/${name}`
  const drop = async () => {
    await admin(server, (client) => client.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`))
  }
  return { url: url.href, name, drop, [Symbol.asyncDispose]: drop }
}

async function admin<T>(server: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
