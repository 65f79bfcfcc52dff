import type pg from 'pg'
import { openPool } from './connect.ts'
import { lacks, refusal, translate } from './db-errors.ts'
import { PREPARED, sendPrepared } from './prepared.ts'
import { type StatementName, type Statements, statementsFor } from './statements.ts'
import { type Last, MAX_TRANSACTION_MS, transact } from './transact.ts'
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
  /** Connections at most; as many again for users' transactions, and up to four for the hot path. */
  readonly connections?: number
  /** A single statement may take this long, in ms; then its connection is dropped and the answer is unknown. */
  readonly statementTimeout?: number
}

export interface LendOptions<T, R> {
  /** Sends the last statement, and COMMIT travels with it: when it is refused, the server turns that COMMIT into a rollback. */
  readonly last?: Last<T, R> | undefined
  readonly wait?: Wait | undefined
}

/** The statements of the hot path are few and short: a claim, a batch of ends, two batches of new jobs. */
const HOT_CONNECTIONS = 4

/**
 * One PostgreSQL database, pooled. Holds no session state, so that a transaction pooler in between changes nothing: settings are local to their
 * transaction, and statements are unnamed, but for the few that `prepared.ts` knows and the sessions that are surely ours.
 */
export class Database {
  readonly schema: string
  readonly url: string
  readonly channel: string
  readonly statements: Statements
  readonly #pool: pg.Pool
  /** Apart from the others: what their sessions keep is for the statements of the hot path only. */
  readonly #hot: pg.Pool
  /** Apart from the others: however long users' transactions take, claims, ends of runs and `enqueue` inside of them find a connection. */
  readonly #lent: pg.Pool
  /** The pool's own queue gives up after a while, as if the server were gone. */
  readonly #turns: Turns

  constructor(options: DatabaseOptions) {
    this.schema = options.schema
    this.url = options.url
    this.channel = `${options.schema}_wake`
    this.statements = statementsFor(options.schema)
    const { connections = 10, statementTimeout } = options
    this.#pool = openPool(options.url, connections, statementTimeout)
    this.#hot = openPool(options.url, Math.min(connections, HOT_CONNECTIONS), statementTimeout)
    this.#lent = openPool(options.url, connections, statementTimeout)
    this.#turns = new Turns(connections)
  }

  /** Runs one of our own statements. */
  async run<Row>(name: StatementName, values: readonly unknown[], on: Queryable = this): Promise<Row[]> {
    try {
      const text = this.statements[name]
      const { rows } = on === this ? await this.query(text, values, name) : await on.query(text, values)
      return rows as Row[]
    } catch (error) {
      throw lacks(error) ?? error
    }
  }

  /** @param name of one of our own statements: those of the hot path are prepared where that is safe */
  async query(text: string, values?: readonly unknown[], name?: StatementName): Promise<QueryAnswer> {
    try {
      if (name !== undefined && PREPARED.has(name))
        return await sendPrepared(this.#hot, { name, text, values: values ?? [] })
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
  async transaction<T>(work: (on: Queryable) => Promise<T>, open = '', maxAge = MAX_TRANSACTION_MS): Promise<T> {
    return transact<T>(await this.#connect(this.#pool), this, { work, open, maxAge })
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
    const lent = async (): Promise<R> =>
      transact(await this.#connect(this.#lent), this, { work, open, maxAge: MAX_TRANSACTION_MS, last })
    return this.#turns.take(lent, wait)
  }

  /** What an error of one of our statements means, when it came through somebody else's connection. */
  explain(error: unknown): unknown {
    return translate(error, this)
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#hot.end(), this.#lent.end()])
  }

  async #connect(pool: pg.Pool): Promise<pg.PoolClient> {
    try {
      return await pool.connect()
    } catch (error) {
      throw refusal(error) ?? translate(error, this)
    }
  }
}
