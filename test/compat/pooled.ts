import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { Database } from '../../src/store/db.ts'
import { migrate } from '../../src/store/migrate.ts'
import { createDatabase, type TestDatabase } from '../support/database.ts'
import { openStage, runOnce, type Stage } from '../support/stage.ts'
import { POOL_SIZE, type Pooler, startPooler } from './pooler.ts'

/** A stage whose clients and workers reach the database through the pooler. What the test itself asks goes straight to the server. */
export interface PooledStage extends Stage {
  readonly pooler: Pooler
  /** The same database without the pooler: where a worker may listen. */
  readonly direct: string
  /** What the sessions behind the pooler have kept: empty when nothing was left in any of them. */
  leftovers(): Promise<Leftover[]>
}

export interface Leftover {
  readonly pid: number
  readonly settings: string[]
  readonly prepared: string[]
  readonly locks: string[]
  readonly channels: string[]
  readonly cursors: string[]
}

/** One database and one pooler for a file of tests, and stages behind them. */
export function usePooledStages(): () => Promise<PooledStage> {
  let database: TestDatabase
  let pooler: Pooler
  let count = 0
  beforeAll(async () => {
    database = await createDatabase()
    await runOnce(database.url, 'create table effect (job uuid, item int)')
    pooler = await startPooler()
  })
  afterAll(async () => {
    await pooler?.[Symbol.asyncDispose]()
    await database?.drop()
  })
  return async () => {
    const schema = `stage${++count}`
    const pooled = pooler.urlOf(database.name)
    const db = new Database({ url: pooled, schema })
    await migrate(db, '0.0.0')
    await db.close()
    const stage = await openStage(database.url, schema)
    const toServer = stage.holdfast
    return Object.assign(stage, {
      pooler,
      database: pooled,
      direct: database.url,
      place: { database: pooled, schema },
      holdfast: ((options) => toServer({ database: pooled, ...options })) as Stage['holdfast'],
      leftovers: () => leftovers(pooler, database.name),
    })
  }
}

/** What pgbouncer itself sets on each session, as the client asked when it connected; and what is reset at the end of every transaction. */
const NOT_OURS = [
  ...['application_name', 'client_encoding', 'DateStyle', 'standard_conforming_strings', 'TimeZone'],
  ...['transaction_deferrable', 'transaction_isolation', 'transaction_read_only'],
]

const KEPT = `
select pg_backend_pid() as pid,
  array(select name || ' = ' || setting from pg_settings where source = 'session' and name <> all($1)) ||
    array(select 'holdfast.nonce = ' || nonce from nullif(current_setting('holdfast.nonce', true), '') as nonce where nonce is not null)
    as settings,
  array(select name || ': ' || statement from pg_prepared_statements where name <> '') as prepared,
  array(select mode || ' ' || objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
  array(select pg_listening_channels()) as channels,
  array(select name from pg_cursors where name <> '') as cursors`

/** Looks into every session of the pool: as many transactions as it has room for, at the same time, are in all of them. */
async function leftovers(pooler: Pooler, name: string): Promise<Leftover[]> {
  const clients = Array.from({ length: POOL_SIZE }, () => new pg.Client({ connectionString: pooler.urlOf(name) }))
  try {
    await Promise.all(clients.map((client) => client.connect()))
    // One after the other: concurrent ones could use a session twice.
    for (const client of clients) await client.query('begin')
    const looks = await Promise.all(
      clients.map(async (client) => (await client.query<Leftover>(KEPT, [NOT_OURS])).rows[0]),
    )
    for (const client of clients) await client.query('rollback')
    const sessions = looks.filter((look) => look !== undefined)
    if (new Set(sessions.map(({ pid }) => pid)).size !== POOL_SIZE) throw new Error('not every session was looked into')
    return sessions.filter(({ pid: _, ...kept }) => Object.values(kept).some((each) => each.length > 0))
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
