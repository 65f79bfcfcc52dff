import pg from 'pg'
import { HoldfastError } from '../model/errors.ts'
import { lacks, refusal, translate } from './db-errors.ts'
import { type StatementName, type Statements, statementsFor } from './statements.ts'
import { Turns, type Wait } from './turns.ts'

/** Anything that takes a statement: the pool, a client inside a transaction, a user's own client through the `tx` seam. */
export interface Queryable {
  query(text: string, values?: readonly unknown[]): Promise<QueryAnswer>
}

export interface QueryAnswer {
  rows: unknown[]
  rowCount: number | null
}

export interface DatabaseOptions {
  /** A connection string. */
  readonly url: string
  /** The schema that holds Holdfast's tables; a validated name. */
  readonly schema: string
  /** Connections at most. */
  readonly connections?: number
  /** A single statement may take this long, in ms; then its connection is dropped and the answer is unknown. */
  readonly statementTimeout?: number
}

/** Sends the last statement of a transaction, at once, through `send`. */
export type Last<T, R> = (result: T, send: Queryable['query']) => Promise<R>

export interface LendOptions<T, R> {
  /** Sends the last statement, and COMMIT travels with it: when it is refused, the server turns that COMMIT into a rollback. */
  readonly last?: Last<T, R> | undefined
  readonly wait?: Wait | undefined
}

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 30_000
/** How long a transaction around user code may be open. */
export const MAX_TRANSACTION_MS = 5 * 60_000
/**
 * Of every transaction, unless what opens it says otherwise: the server ends one whose process stands still in the middle of it, or the locks
 * that it holds (a job's row, a partition of the history) would hold up all others for as long as it is frozen.
 */
const WHEN_FROZEN = 'set local idle_in_transaction_session_timeout = 5000'

/**
 * One PostgreSQL database, pooled. Holds no session state, so that a transaction pooler in between changes nothing: statements are
 * unnamed, settings are local to their transaction.
 */
export class Database {
  readonly schema: string
  readonly url: string
  readonly channel: string
  readonly statements: Statements
  readonly #pool: pg.Pool
  /** Apart from the others: however long users' transactions take, claims, ends of runs and `enqueue` inside of them find a connection. */
  readonly #lent: pg.Pool
  /** The pool's own queue gives up after a while, as if the server were gone. */
  readonly #turns: Turns

  constructor(options: DatabaseOptions) {
    this.schema = options.schema
    this.url = options.url
    this.channel = `${options.schema}_wake`
    this.statements = statementsFor(options.schema)
    const { connections = 10, statementTimeout = STATEMENT_TIMEOUT_MS } = options
    this.#pool = openPool(options.url, connections, statementTimeout)
    this.#lent = openPool(options.url, connections, statementTimeout)
    this.#turns = new Turns(connections)
  }

  /** Runs one of our own statements. */
  async run<Row>(name: StatementName, values: readonly unknown[], on: Queryable = this): Promise<Row[]> {
    try {
      const { rows } = await on.query(this.statements[name], values)
      return rows as Row[]
    } catch (error) {
      throw lacks(error) ?? error
    }
  }

  async query(text: string, values?: readonly unknown[]): Promise<QueryAnswer> {
    try {
      return await this.#pool.query(text, values as unknown[])
    } catch (error) {
      throw refusal(error) ?? translate(error, this)
    }
  }

  /**
   * Runs `work` in a transaction on a connection of its own: commits what it resolves with, rolls back what it throws.
   * `open` is sent together with BEGIN, as `set local` commands. After `maxAge` ms the connection is cut: a transaction that goes on
   * for ever holds back the vacuum of every table.
   */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>, open = '', maxAge = MAX_TRANSACTION_MS): Promise<T> {
    return this.#transact(this.#pool, work, open, maxAge)
  }

  /**
   * The same around code of the user's, which may take its time, on connections apart: when all are in use, it waits its turn. What holds
   * one must not wait for another.
   */
  lend<T, R = T>(
    work: (client: pg.PoolClient) => Promise<T>,
    open: string,
    { last, wait }: LendOptions<T, R> = {},
  ): Promise<R> {
    return this.#turns.take(() => this.#transact(this.#lent, work, open, MAX_TRANSACTION_MS, last), wait)
  }

  async #transact<T, R = T>(
    pool: pg.Pool,
    work: (client: pg.PoolClient) => Promise<T>,
    open: string,
    maxAge: number,
    last?: Last<T, R>,
  ): Promise<R> {
    const client = await this.#connect(pool)
    let broken: Error | undefined
    // The server may end the session between two statements (idle in transaction, restart); its reason comes by this event only.
    const onError = (error: Error): void => {
      broken ??= error
    }
    client.on('error', onError)
    const timer = setTimeout(() => {
      broken ??= new HoldfastError('HF_TX_AGE', `The transaction was open for longer than ${maxAge / 1000} s.`)
      cut(client, broken)
    }, maxAge)
    try {
      // Not awaited: it travels together with the first statement of the work. When it fails, that statement fails too.
      const begun = client.query(`begin;${WHEN_FROZEN};${open}`)
      begun.catch(ignore)
      const result = await work(client)
      await begun
      return await commit(client, result, last)
    } catch (error) {
      const reason = broken ?? error
      await client.query('rollback').catch((failure: Error) => {
        broken ??= failure
      })
      if (broken === undefined && !(error instanceof pg.DatabaseError)) {
        // The work's own: a service that refuses its connection, an "account closed" only sound like a database that is gone.
        throw error
      }
      throw translate(reason, this)
    } finally {
      clearTimeout(timer)
      client.off('error', onError)
      client.release(broken)
    }
  }

  /** What an error of one of our statements means, when it came through somebody else's connection. */
  explain(error: unknown): unknown {
    return translate(error, this)
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#lent.end()])
  }

  async #connect(pool: pg.Pool): Promise<pg.PoolClient> {
    try {
      return await pool.connect()
    } catch (error) {
      throw refusal(error) ?? translate(error, this)
    }
  }
}

function openPool(url: string, max: number, statementTimeout: number): pg.Pool {
  const pool = new pg.Pool({
    ...clientOptions(url, statementTimeout),
    max,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  })
  // An idle connection that breaks is replaced at the next query; without a listener node would exit.
  pool.on('error', ignore)
  return pool
}

function ignore(): void {}

/** Breaks a connection at once, a statement in flight included. */
function cut(client: pg.PoolClient, error: Error): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(error: Error): void } } }
  connection?.stream?.destroy(error)
}

async function commit<T, R>(client: pg.PoolClient, result: T, last: Last<T, R> | undefined): Promise<R> {
  let sent = false
  const closing = last?.(result, (text, values) => {
    sent = true
    return client.query(text, values as unknown[])
  })
  // A last statement that was not sent yet may never be: then nothing may commit.
  if (!sent) await closing
  closing?.catch(ignore)
  const committed = client.query('commit')
  const [ended, { command }] = await Promise.all([closing, committed]).catch(async (error: unknown) => {
    await committed.catch(ignore)
    throw error
  })
  if (command !== 'COMMIT')
    throw new HoldfastError('HF_TX_ENDED', 'The transaction could not commit: a statement in it had failed.')
  return (last === undefined ? result : ended) as R
}

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
