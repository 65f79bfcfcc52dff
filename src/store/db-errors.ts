import pg from 'pg'
import { HoldfastError, isHoldfastError } from '../model/errors.ts'

/** What an error of the driver means: whether anything was sent, whether another try helps, and what to call it. */

/** The database that an error came from. */
interface Asked {
  readonly url: string
}

/** SQLSTATE classes after which the same statement may be sent again once a connection is there: 08, 53, 57P0x, 25006 (old primary). */
export function isConnectionTrouble(error: unknown): boolean {
  if (error instanceof HoldfastError) return error.code === 'HF_DATABASE_DOWN'
  const code = codeOf(error)
  if (code === undefined) return error instanceof Error && /timeout|terminated|ended|closed/i.test(error.message)
  return /^(08|53|57P0|25006|E[A-Z]+$)/.test(code)
}

/**
 * Errors for which the server says that it did nothing and another try may work: serialisation, deadlock, lock timeout, and a row on its way
 * to the default partition while the right one was attached (a check violation, but of no constraint that has a name).
 */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  if (code === '23514') return serverError(error)?.constraint === undefined
  return ['40001', '40P01', '55P03'].includes(code)
}

function serverError(error: unknown): pg.DatabaseError | undefined {
  if (error instanceof pg.DatabaseError) return error
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined || cause === error ? undefined : serverError(cause)
}

/** The SQLSTATE or system error code of a failed statement. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string' && !code.startsWith('HF_')) return code
  const cause = (error as { cause?: unknown } | null)?.cause
  return cause === undefined || cause === error ? undefined : codeOf(cause)
}

/** The server is there, or its address cannot be one: trying again will not help. 28: who one is, 3D000: which database. */
const REFUSALS =
  /^(28|3D000|ERR_INVALID_URL|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE)/

/** Only of what the driver says: inside a transaction, user code may have met with a refusal of somebody else. */
export function refusal(error: unknown): HoldfastError | undefined {
  if (!(error instanceof Error) || error instanceof HoldfastError) return undefined
  const { message } = error
  if (
    !REFUSALS.test(codeOf(error) ?? '') &&
    !/does not support SSL|permission denied for (schema|database)/i.test(message)
  )
    return undefined
  return new HoldfastError('HF_DATABASE_REFUSED', `PostgreSQL refuses: ${message}`, { cause: error })
}

/** The connection could not be made, or the server refused it: the statement was never sent. */
export function wasNeverSent(error: unknown): boolean {
  if (error instanceof HoldfastError && error.code === 'HF_DATABASE_REFUSED') return true
  if (
    ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', '57P03', '53300', '28P01', '28000', '3D000'].includes(
      codeOf(error) ?? '',
    )
  )
    return true
  const cause = error instanceof HoldfastError ? error.cause : error
  return cause instanceof Error && /trying to connect|connection timeout/i.test(cause.message)
}

/** The server did nothing, or nobody knows whether it did: what is fenced may be sent again. */
export function isWorthAnotherTry(error: unknown): boolean {
  return isConnectionTrouble(error) || isTransient(error) || wasNeverSent(error)
}

/** A table, column or function of one of our own statements that is not there: nobody else's name is in them. */
export function lacks(error: unknown): HoldfastError | undefined {
  if (!['42P01', '42703', '42883'].includes(codeOf(error) ?? '')) return undefined
  const message = error instanceof Error ? error.message : String(error)
  return new HoldfastError('HF_SCHEMA_TOO_OLD', `The database lacks something that this code needs: ${message}`, {
    cause: error,
  })
}

export function translate(error: unknown, { url }: Asked): unknown {
  if (error instanceof HoldfastError) return error
  const code = codeOf(error)
  // What no address of a name took is an AggregateError without a message.
  const message = error instanceof Error ? error.message || String(code) : String(error)
  if (code === 'HF001') return new HoldfastError('HF_FENCED', message, { cause: error })
  if (code === '25P03')
    return new HoldfastError('HF_TX_IDLE', 'The handler let its transaction wait so long that the server ended it.', {
      cause: error,
    })
  if (code === 'HF002') return new HoldfastError('HF_TX_ENDED', message, { cause: error })
  if (!isConnectionTrouble(error)) return error
  const down = new HoldfastError('HF_DATABASE_DOWN', `PostgreSQL does not answer: ${message}`, { cause: error })
  silentAt.set(down, url)
  return down
}

/** Which database an error speaks of. */
const silentAt = new WeakMap<Error, string>()

/** Whether this is the error of this very database that does not answer, and not of another one that a handler asked. */
export function isDown(error: unknown, { url }: Asked): boolean {
  return isHoldfastError(error, 'HF_DATABASE_DOWN') && silentAt.get(error) === url
}
