import { HoldfastError } from '../model/errors.ts'
import type { Database, QueryAnswer, Queryable } from './db.ts'
import { codeOf } from './db-errors.ts'
import type { Wait } from './turns.ts'

const CANCELED = '57014'

/**
 * Several statements that see the same moment, write nothing, and burden the database for `ms` at most each.
 * @throws {HoldfastError} HF_REPORT_SLOW
 */
export async function reading<T>(db: Database, ms: number, work: (on: Queryable) => Promise<T>): Promise<T> {
  const open = `set transaction isolation level repeatable read, read only; set local statement_timeout = ${Math.ceil(ms)}`
  try {
    return await db.transaction(work, open)
  } catch (error) {
    if (!wasTooSlow(error)) throw error
    throw new HoldfastError(
      'HF_REPORT_SLOW',
      `The database needed more than ${Math.ceil(ms / 1_000)} s for an answer.`,
      { cause: error },
    )
  }
}

/** The client gives up after 30 s and calls the database gone; the server should give up first, and say why (57014). */
const SOURCE_TIMEOUT_MS = 25_000

/**
 * One statement of a source of items: it writes nothing, and the server cancels it when it takes too long. Slow ones must not keep the
 * engine's own statements waiting: they are users' code, and have users' connections.
 */
export async function readRows(
  db: Database,
  text: string,
  values: readonly unknown[] | undefined,
  wait: Wait,
): Promise<QueryAnswer> {
  const open = `set transaction read only; set local statement_timeout = ${SOURCE_TIMEOUT_MS}`
  return db.lend((client) => client.query(text, values as unknown[]), open, { wait })
}

export function wasTooSlow(error: unknown): boolean {
  return codeOf(error) === CANCELED
}
