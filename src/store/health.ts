import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { clientOptions } from './connect.ts'
import type { Database } from './db.ts'
import { date, number, type Row, text } from './report-rows.ts'

export interface ServerHealth {
  /** As in `server_version_num`: 180004. */
  readonly version: number
  readonly versionText: string
  /** ms by which the database's clock is ahead of this machine's, and how far off that may be. */
  readonly skewMs: number
  readonly uncertaintyMs: number
  /** It takes no writes. */
  readonly replica: boolean
  readonly maxConnections: number
  readonly reserved: number
  readonly used: number
  /** Whether this role sees what the sessions of others do. */
  readonly seesAll: boolean
  readonly autovacuum: boolean
}

export async function serverHealth(db: Database): Promise<ServerHealth> {
  // The first statement may have to connect: the second one tells the time.
  await db.run('health_server', [])
  const sent = Date.now()
  const [row] = await db.run<Row>('health_server', [])
  const received = Date.now()
  const server = row as Row
  return {
    version: Number(server['version']),
    versionText: String(server['version_text']),
    skewMs: (date(server['now']) as Date).getTime() - (sent + received) / 2,
    uncertaintyMs: (received - sent) / 2,
    replica: server['replica'] === true,
    maxConnections: Number(server['max_connections']),
    reserved: Number(server['reserved']),
    used: Number(server['used']),
    seesAll: server['sees_all'] === true,
    autovacuum: server['autovacuum'] === true,
  }
}

/** Somebody on whose account the database keeps dead rows. */
export interface Holder {
  readonly kind: 'session' | 'prepared transaction' | 'replication slot'
  readonly who: string
  readonly detail: string
  readonly xids: number | undefined
  readonly ms: number | undefined
}

export async function horizonHolders(db: Database): Promise<Holder[]> {
  const rows = await db.run<Row>('health_horizon', [])
  return rows.map((row) => ({
    kind: row['kind'] as Holder['kind'],
    who: String(row['who']),
    detail: text(row['detail']) ?? '',
    xids: number(row['xids']),
    ms: number(row['ms']),
  }))
}

export interface TableHealth {
  readonly name: string
  readonly live: number
  readonly dead: number
  readonly bytes: number
  /** undefined: never. */
  readonly vacuumedMs: number | undefined
}

export async function tableHealth(db: Database): Promise<TableHealth[]> {
  const rows = await db.run<Row>('health_tables', [db.schema])
  return rows.map((row) => ({
    name: String(row['name']),
    live: Number(row['live']),
    dead: Number(row['dead']),
    bytes: Number(row['bytes']),
    vacuumedMs: number(row['vacuumed_ms']),
  }))
}

/** Whole days after today for which the history has a partition, in a row from tomorrow on. */
export async function daysAhead(db: Database): Promise<number> {
  const partitions = await db.run<{ present: boolean; from: string }>('partitions', [db.schema, 'history', 30, 0])
  const [row] = (await db.query(`select (clock_timestamp() at time zone 'utc')::date::text as today`)).rows as {
    today: string
  }[]
  const coming = partitions.filter((partition) => partition.from > (row?.today ?? ''))
  const missing = coming.findIndex((partition) => !partition.present)
  return missing === -1 ? coming.length : missing
}

/**
 * Whether a notification comes through to a listener: behind a pooler that shares sessions it does not, and nothing says so.
 * @param url where workers listen
 * @throws when the address cannot be connected to
 */
export async function notificationsArrive(db: Database, url: string, ms: number): Promise<boolean> {
  const channel = `${db.schema}_probe`
  const token = randomUUID()
  const client = new pg.Client(clientOptions(url, ms))
  client.on('error', () => {})
  await client.connect()
  let timer: NodeJS.Timeout | undefined
  try {
    const heard = new Promise<boolean>((resolve) => {
      client.on('notification', (message) => message.payload === token && resolve(true))
      timer = setTimeout(() => resolve(false), ms)
    })
    await client.query(`listen ${pg.escapeIdentifier(channel)}`)
    await db.query('select pg_notify($1, $2)', [channel, token])
    return await heard
  } finally {
    clearTimeout(timer)
    // Behind a pooler the session stays, and others use it. This finds it unless somebody else took it in between.
    await client.query(`unlisten ${pg.escapeIdentifier(channel)}`).catch(() => {})
    await client.end().catch(() => {})
  }
}
