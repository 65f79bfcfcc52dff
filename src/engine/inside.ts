import { HoldfastError } from '../model/errors.ts'
import type { Database, Queryable } from '../store/db.ts'
import { codeOf } from '../store/db-errors.ts'
import { placeOf } from '../store/place.ts'
import type { Transactions } from '../tasks/transactions.ts'
import { within } from './within.ts'

export interface Inside {
  /** Runs our statements inside the user's open transaction. */
  enqueue(db: Database, tx: unknown, work: (on: Queryable) => Promise<void>): Promise<void>
}

/** The user's own transactions: checked at first use, since a wrong one would lose jobs silently. */
export function insideOf(transactions: Transactions<unknown> | undefined): Inside {
  const check = sameServerCheck()
  return {
    async enqueue(db, tx, work) {
      const on = queryable(transactions, tx)
      await check(db, on)
      try {
        await work(on)
      } catch (error) {
        throw explain(error, db)
      }
    },
  }
}

function queryable(transactions: Transactions<unknown> | undefined, tx: unknown): Queryable {
  if (transactions !== undefined) return { query: (text, values) => transactions.query(tx, text, values ?? []) }
  const client = tx as Partial<Queryable> & { escapeIdentifier?: unknown; getTransactionStatus?: () => string | null }
  if (typeof client?.query !== 'function' || typeof client.escapeIdentifier !== 'function') {
    throw new HoldfastError(
      'HF_TX',
      '`tx` must be a pg client inside a transaction (`await pool.connect()`, then `begin`), not a pool.',
    )
  }
  if (client.getTransactionStatus?.() === 'I') {
    throw new HoldfastError('HF_TX', '`tx` is a pg client that is not inside a transaction: send `begin` first.')
  }
  return client as Queryable
}

/**
 * Compares until it once had both answers. It never waits long for ours: behind a pooler, transactions like the caller's may hold every
 * connection, and would wait for an answer that waits for them.
 */
function sameServerCheck(): (db: Database, on: Queryable) => Promise<void> {
  let checked = false
  let asked: Promise<string> | undefined
  return async (db, on) => {
    if (checked) return
    asked ??= placeOf(db).finally(() => {
      asked = undefined
    })
    const [ours, theirs] = await Promise.all([within(asked, PATIENCE_MS), placeOf(on)])
    if (ours === undefined) return
    if (ours !== theirs)
      throw new HoldfastError('HF_TX', '`tx` reaches another database than the `database` that holdfast() was given.')
    checked = true
  }
}

const PATIENCE_MS = 1_000

function explain(error: unknown, db: Database): unknown {
  if (codeOf(error) !== '42P01') return error
  return new HoldfastError('HF_TX', `\`tx\` reaches a database without the schema "${db.schema}".`, { cause: error })
}
