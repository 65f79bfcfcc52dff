import { randomUUID } from 'node:crypto'
import { HoldfastError } from '../model/errors.ts'
import type { Database, Queryable } from '../store/db.ts'
import { applyOpening, openingCommands } from '../store/opening.ts'
import { MAX_TRANSACTION_MS } from '../store/transact.ts'
import type { Wait } from '../store/turns.ts'
import type { PgClient, Transactions } from '../tasks/transactions.ts'

/** A transaction that the engine opened for user code, and will end itself. */
export interface OpenTransaction {
  /** What the user's code gets. */
  readonly tx: unknown
  /** For the engine's own statements. */
  readonly on: Queryable
  /** Set local to the transaction: gone when somebody else ended it. */
  readonly nonce: string
}

export type LastWrite<T, R> = (open: Pick<OpenTransaction, 'on' | 'nonce'>, result: T) => Promise<R>

export interface TransactionOptions<T, R> {
  /** Sends the last statement, whose refusal undoes everything; it may travel together with COMMIT. */
  readonly last?: LastWrite<T, R>
  /** For a connection of the engine's; the pool of an ORM does not say when one has to wait. */
  readonly wait?: Wait
}

/**
 * Opens transactions around user code: late, on a connection of their own, with the server's promise to end them when this process freezes
 * (`idle_in_transaction_session_timeout`, below the lease: a frozen transaction would hide its job from the sweep).
 */
export interface EngineTransactions {
  run<T, R = T>(work: (open: OpenTransaction) => Promise<T>, options?: TransactionOptions<T, R>): Promise<R>
}

const ENDS_TRANSACTION =
  /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(work\s+|transaction\s+)?to\b))\b/i

interface QueryConfig {
  text: string
  values: unknown[]
}

/** With `pg`: the client is lent without the words that would end the transaction. */
export function pgTransactions(db: Database, idleTimeout: number): EngineTransactions {
  return {
    run: (work, { last, wait } = {}) => {
      const nonce = randomUUID()
      return db.lend(
        (client) => {
          const lent: PgClient = {
            query: async (text: string, values?: readonly unknown[]) => {
              if (ENDS_TRANSACTION.test(typeof text === 'string' ? text : '')) throw endedByHandler(text)
              // Its statements are the user's: a long one is bounded by the age of the transaction alone.
              const statement = { text, values: values as unknown[], query_timeout: MAX_TRANSACTION_MS }
              return client.query<never>(statement as QueryConfig)
            },
            escapeIdentifier: (name) => client.escapeIdentifier(name),
          }
          return work({ tx: lent, on: client, nonce })
        },
        openingCommands(idleTimeout, nonce),
        { wait, last: last && ((result, send) => last({ on: { query: send }, nonce }, result)) },
      )
    },
  }
}

/** With the user's ORM. */
export function ormTransactions<Tx>(
  db: Database,
  transactions: Transactions<Tx>,
  idleTimeout: number,
): EngineTransactions {
  return {
    run: <T, R = T>(work: (open: OpenTransaction) => Promise<T>, { last }: TransactionOptions<T, R> = {}) =>
      transactions.begin(async (tx) => {
        const nonce = randomUUID()
        const on: Queryable = {
          query: (text, values) =>
            transactions.query(tx, text, values ?? []).catch((error: unknown) => {
              throw db.explain(error)
            }),
        }
        await applyOpening(on, idleTimeout, nonce)
        const result = await work({ tx, on, nonce })
        return (last === undefined ? result : await last({ on, nonce }, result)) as R
      }),
  }
}

function endedByHandler(text: string): HoldfastError {
  const word = text.trim().split(/\s/, 1)[0]
  return new HoldfastError('HF_TX_ENDED', `The handler sent ${word?.toUpperCase()} on the transaction it was lent.`)
}
