import { HoldfastError } from '../model/errors.ts'
import { codeOf, type Database, type Queryable } from './db.ts'

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

export function wasTooSlow(error: unknown): boolean {
  return codeOf(error) === CANCELED
}
