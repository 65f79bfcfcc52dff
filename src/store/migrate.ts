import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../model/errors.ts'
import type { Database, Queryable } from './db.ts'
import { isTransient } from './db-errors.ts'
import { MIGRATIONS } from './sql.gen.ts'
import { inSchema } from './statements.ts'

/** The schema that this code was written for. */
export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.number ?? 0

const LOCK_TIMEOUT_MS = 3_000
const ATTEMPTS = 10
const SHORT = `set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local client_min_messages = warning`

export interface Migration {
  readonly number: number
  readonly name: string
  readonly kind: 'additive' | 'breaking'
}

export interface SchemaState {
  /** The highest migration applied; 0: none. */
  readonly version: number
  /** Migrations of this code that the database lacks. */
  readonly pending: readonly Migration[]
  /** Migrations of a newer release that this code does not know. */
  readonly unknown: readonly Migration[]
}

/**
 * Brings the schema up to this code's version. Safe when many processes call it at once: each migration is one transaction under a
 * transaction-scoped advisory lock (a session lock would be lost behind a pooler), with a short lock timeout so that it never
 * queues in front of the application's own statements, and retries.
 */
export async function migrate(db: Database, release: string): Promise<Migration[]> {
  const applied: Migration[] = []
  for (let attempt = 1; ; attempt++) {
    try {
      await db.transaction((client) => refuseNewer(db, client), SHORT)
      for (;;) {
        const done = await applyNext(db, release)
        if (done === undefined) return applied
        applied.push(done)
      }
    } catch (error) {
      if (!isTransient(error)) throw error
      if (attempt === ATTEMPTS) throw busy(db.schema, error)
      await sleep(100 * attempt + Math.random() * 200)
    }
  }
}

async function applyNext(db: Database, release: string): Promise<Migration | undefined> {
  return db.transaction(async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`holdfast migrate ${db.schema}`])
    // Asked first, because `create schema if not exists` can collide in the catalogue even here: a session that remembers that there was
    // none learns nothing better from waiting for the lock above. It also wants a right that whoever made the schema may have kept.
    const { rowCount } = await client.query('select from pg_catalog.pg_namespace where nspname = $1', [db.schema])
    if (rowCount === 0) await client.query(`create schema ${db.schema}`)
    await client.query(`create table if not exists ${db.schema}.migration (
      number integer primary key, name text not null, kind text not null, release text not null,
      applied_at timestamptz not null default clock_timestamp())`)
    const { rows } = await client.query(`select number from ${db.schema}.migration`)
    const known = new Set((rows as { number: number }[]).map((row) => row.number))
    const next = MIGRATIONS.find((migration) => !known.has(migration.number))
    if (next === undefined) return undefined
    await client.query(inSchema(next.text, db.schema))
    await client.query(`insert into ${db.schema}.migration (number, name, kind, release) values ($1, $2, $3, $4)`, [
      next.number,
      next.name,
      next.kind,
      release,
    ])
    return { number: next.number, name: next.name, kind: next.kind }
  }, SHORT)
}

/** What the database has and what it lacks. Reads only. */
export async function schemaState(db: Database, on: Queryable = db): Promise<SchemaState> {
  const present = await on.query(`select to_regclass('${db.schema}.migration') is not null as present`)
  if (!(present.rows[0] as { present: boolean }).present) return { version: 0, pending: MIGRATIONS, unknown: [] }
  const { rows } = await on.query(`select number, name, kind from ${db.schema}.migration order by number`)
  const applied = rows as Migration[]
  const numbers = new Set(applied.map((row) => row.number))
  return {
    version: applied.at(-1)?.number ?? 0,
    pending: MIGRATIONS.filter((migration) => !numbers.has(migration.number)),
    unknown: applied.filter((row) => row.number > SCHEMA_VERSION),
  }
}

/** Throws unless this code can work on this schema: everything it needs is there, and nothing newer broke with it. */
export async function requireSchema(db: Database): Promise<void> {
  const state = await refuseNewer(db)
  if (state.pending.length === 0) return
  const what =
    state.version === 0
      ? `There is no Holdfast schema "${db.schema}" in this database`
      : `The schema "${db.schema}" is at version ${state.version}`
  throw new HoldfastError('HF_SCHEMA_TOO_OLD', `${what}; this code needs version ${SCHEMA_VERSION}.`)
}

/** @throws {HoldfastError} HF_SCHEMA_TOO_NEW */
export async function refuseNewer(db: Database, on: Queryable = db): Promise<SchemaState> {
  const state = await schemaState(db, on)
  const breaking = state.unknown.find((migration) => migration.kind === 'breaking')
  if (breaking === undefined) return state
  throw new HoldfastError(
    'HF_SCHEMA_TOO_NEW',
    `The schema "${db.schema}" is at version ${state.version}; this code knows version ${SCHEMA_VERSION}, and migration ` +
      `${breaking.number} (${breaking.name}) broke with it.`,
  )
}

function busy(schema: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'HF_SCHEMA_BUSY',
    `The schema "${schema}" could not be migrated: its tables stayed locked through ${ATTEMPTS} attempts.`,
    { cause },
  )
}

/** The SQL of a migration, as it is sent. */
export function migrationText(number: number, schema: string): string {
  const migration = MIGRATIONS.find((each) => each.number === number)
  return migration === undefined ? '' : inSchema(migration.text, schema)
}
