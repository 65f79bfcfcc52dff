import pg from 'pg'
import type { SourceContext } from '../../../src/tasks/source.ts'
import { createDatabase } from '../../support/database.ts'

export interface TestQueries {
  readonly url: string
  readonly query: SourceContext['query']
  /** Every statement that was asked for, in order. */
  readonly log: string[]
  readonly pool: pg.Pool
  close(): Promise<void>
}

/** A database with tables of its own, and the `query` that a source is lent. */
export async function openTestDatabase(setup: string, options: pg.PoolConfig = {}): Promise<TestQueries> {
  const database = await createDatabase()
  const pool = new pg.Pool({ connectionString: database.url, max: 2, ...options })
  pool.on('error', () => {}) // a connection that is still closing when its database is dropped
  await pool.query(setup)
  const log: string[] = []
  return {
    url: database.url,
    log,
    pool,
    query: (text, values) => {
      log.push(text)
      return pool.query(text, values as unknown[])
    },
    async close() {
      await pool.end()
      await database.drop()
    },
  }
}
