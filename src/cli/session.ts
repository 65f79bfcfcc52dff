import { HoldfastError } from '../model/errors.ts'
import { describeDatabase } from '../model/mask.ts'
import { checkName } from '../model/name.ts'
import { Database } from '../store/db.ts'
import type { CommonOptions } from './command.ts'
import { findConfig, type LoadedApp, load } from './config.ts'

/** A database, and the app that works on it when there is a config. */
export interface Session extends AsyncDisposable {
  readonly db: Database
  /** For people: no password in it. */
  readonly where: string
  readonly loaded: LoadedApp | undefined
}

const CONNECTIONS = 3
const DEFAULT_SCHEMA = 'holdfast'

/**
 * The database of the config, or of DATABASE_URL where there is no config.
 * @throws {HoldfastError} HF_CONFIG_NOT_FOUND when there is neither
 */
export async function openSession(options: CommonOptions): Promise<Session> {
  if (options.schema !== undefined) checkName('schema', options.schema)
  const file = findConfig(options.config)
  return file === undefined ? plainSession(options.schema) : appSession(await load(file), options.schema)
}

function plainSession(schema = DEFAULT_SCHEMA): Session {
  const url = process.env['DATABASE_URL']
  if (url === undefined || url.trim() === '') {
    throw new HoldfastError(
      'HF_CONFIG_NOT_FOUND',
      `There is no holdfast.config.ts in ${process.cwd()} or a folder above, and DATABASE_URL is not set.`,
    )
  }
  const db = new Database({ url, schema, connections: CONNECTIONS })
  return { db, where: describeDatabase(url), loaded: undefined, [Symbol.asyncDispose]: () => db.close() }
}

/**
 * Only the address crosses over from the config's copy of this package, which may be another release: statements are this one's.
 */
export async function appSession(loaded: LoadedApp, schema?: string): Promise<Session> {
  const { connection } = loaded.internals.client
  const opened = await connection.open()
  const { url } = opened.db
  const db = new Database({ url, schema: schema ?? opened.db.schema, connections: CONNECTIONS })
  const close = async () => {
    await db.close()
    await loaded.app.jobs.close()
  }
  return { db, where: placeOf(loaded, url), loaded, [Symbol.asyncDispose]: close }
}

export function placeOf(loaded: LoadedApp, url: string): string {
  return loaded.internals.client.connection.embedded
    ? `embedded PostgreSQL, ${describeDatabase(url)}`
    : describeDatabase(url)
}
