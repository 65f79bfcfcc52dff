import { createHash } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { Database } from '../../src/store/db.ts'
import { migrate } from '../../src/store/migrate.ts'
import { MIGRATIONS } from '../../src/store/sql.gen.ts'

/** The schema of the database of `millionDatabase`. */
export const SCHEMA = 'holdfast'

/** How many rows `job` has ready, and `history` ended. */
export const MILLION = 1_000_000

/** Grows with `n`, as the time in a UUIDv7 does. */
const id = (prefix: string, n = 'n') => `('${prefix}' || lpad(to_hex(${n}), 8, '0') || '7000800000000000')::uuid`

/** A million ready jobs, all of the queue `million`. */
const JOBS = `
  insert into ${SCHEMA}.job (id, queue, task, input)
  select ${id('01980000')}, 'million', 'common', '{"n":1}' from generate_series(1, ${MILLION}) n`
/** A million ended ones, and enough elsewhere for the planner to take the indexes seriously. */
const OTHERS = `
  insert into ${SCHEMA}.history
    (id, created_at, ended_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
  select ${id('01970000')}, at, at, 1, 0, 0, 0, 0, case when n % 100 = 0 then 21 else 20 end, 5, 1, 'million', 'common'
  from generate_series(1, ${MILLION}) n, lateral (select now() - interval '1 day' + n * interval '1 ms' as at) as ended;
  insert into ${SCHEMA}.waiting
    (id, due_at, created_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
  select ${id('01960000')}, now() + interval '1 hour' + n * interval '1 ms', now(), 0, 0, 0, 0, 0, 10, 5, 1, 'million', 'common'
  from generate_series(1, 200000) n;
  insert into ${SCHEMA}.trail (job, run, outcome) select ${id('01970000')}, 1, 'failed' from generate_series(100, ${MILLION}, 100) n;
  insert into ${SCHEMA}.tail (job, run, started_at, said, lines) select ${id('01970000')}, 1, now(), 1, '[]' from generate_series(100, ${MILLION}, 100) n;
  insert into ${SCHEMA}.checkpoint (id, run, items) select ${id('01950000')}, 1, n from generate_series(1, 10000) n;
  insert into ${SCHEMA}.request (id, action, reason, owner)
  select ${id('01950000')}, 'pause', 'test', 'test' from generate_series(1, 1000) n;
  insert into ${SCHEMA}.ledger (worker, claim, ids, runs)
  select -1 - n % 100, n, array[${id('01950000')}], array[1] from generate_series(1, 10000) n;
  insert into ${SCHEMA}.part (root, part, parts, job)
  select ${id('01950000', 'n / 10')}, n % 10, 10, ${id('01950000')} from generate_series(10, 10009) n`
const TABLES = ['job', 'history', 'waiting', 'trail', 'tail', 'checkpoint', 'request', 'ledger', 'part']

let shared: Promise<string> | undefined

/**
 * The URL of a database with a million jobs, built by whoever asks first and shared by the whole run (and by later ones, on a server
 * that outlives them): leave it as it was, by rolling back.
 */
export function millionDatabase(): Promise<string> {
  shared ??= build(inject('serverUrl'))
  return shared
}

async function build(server: string): Promise<string> {
  const digest = createHash('sha256')
    .update(JSON.stringify([MIGRATIONS, JOBS, OTHERS]))
    .digest('hex')
    .slice(0, 12)
  const name = `test_million_${digest}`
  const admin = new pg.Client({ connectionString: server })
  await admin.connect()
  try {
    // Held until this connection ends: the others wait here, and then find the database.
    await admin.query('select pg_advisory_lock(hashtextextended($1, 0))', [name])
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [name])
    if (rowCount === 0) {
      // Under its own name only when it is complete: a run that was killed here leaves no half of it to the next one.
      await admin.query(`drop database if exists ${name}_half with (force)`)
      await admin.query(`create database ${name}_half template template0`)
      await fill(urlOf(server, `${name}_half`))
      await admin.query(`alter database ${name}_half rename to ${name}`)
    }
  } finally {
    await admin.end()
  }
  return urlOf(server, name)
}

async function fill(url: string): Promise<void> {
  const db = new Database({ url, schema: SCHEMA, connections: 2, statementTimeout: 120_000 })
  try {
    await migrate(db, 'test')
    await Promise.all([withoutIndexes(db, 'job', JOBS), withoutIndexes(db, 'waiting', OTHERS)])
    await db.query(`vacuum (analyze) ${TABLES.map((table) => `${SCHEMA}.${table}`).join(', ')}`)
  } finally {
    await db.close()
  }
}

/** Building an index at the end takes a fifth of the time of keeping it up to date through a million rows. */
async function withoutIndexes(db: Database, table: string, work: string): Promise<void> {
  const { rows } = await db.query(
    `select coalesce(conname, '') as name, indexrelid::regclass::text as index,
      coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(indexrelid)) as definition
    from pg_index left join pg_constraint c on c.conindid = indexrelid where indrelid = $1::regclass`,
    [`${SCHEMA}.${table}`],
  )
  const indexes = rows as { name: string; index: string; definition: string }[]
  const alter = `alter table ${SCHEMA}.${table}`
  for (const { name, index } of indexes)
    await db.query(name ? `${alter} drop constraint ${name}` : `drop index ${index}`)
  await db.query(work)
  for (const { name, definition } of indexes)
    await db.query(name ? `${alter} add constraint ${name} ${definition}` : definition)
}

function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}
