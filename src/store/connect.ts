import pg from 'pg'

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 30_000

/** Options for a connection to the same database, outside the pool (the renewal thread, the listener). */
export function clientOptions(url: string, statementTimeout = STATEMENT_TIMEOUT_MS): pg.ClientConfig {
  return {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: statementTimeout,
    keepAlive: true,
    pipeline: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

/** Connections to one database, which all are made with these options. */
export function openPool(url: string, max: number, statementTimeout?: number): pg.Pool {
  const pool = new pg.Pool({
    ...clientOptions(url, statementTimeout),
    max,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  })
  // An idle connection that breaks is replaced at the next query; without a listener node would exit.
  pool.on('error', () => {})
  return pool
}
