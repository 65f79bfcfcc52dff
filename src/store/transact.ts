import pg from 'pg'
import { HoldfastError } from '../model/errors.ts'
import { translate } from './db-errors.ts'

type Send = (text: string, values?: readonly unknown[]) => Promise<pg.QueryResult>

/** Sends the last statement of a transaction, at once, through `send`. */
export type Last<T, R> = (result: T, send: Send) => Promise<R>

/** How long a transaction around user code may be open. */
export const MAX_TRANSACTION_MS = 5 * 60_000
/**
 * Of every transaction, unless what opens it says otherwise: the server ends one whose process stands still in the middle of it, or the locks
 * that it holds (a job's row, a partition of the history) would hold up all others for as long as it is frozen.
 */
const WHEN_FROZEN = 'set local idle_in_transaction_session_timeout = 5000'

interface Transaction<T, R> {
  readonly work: (client: pg.PoolClient) => Promise<T>
  /** Sent together with BEGIN: `set local` commands. */
  readonly open: string
  /** ms; then the connection is cut. */
  readonly maxAge: number
  readonly last?: Last<T, R> | undefined
}

/** One transaction on a connection that is given back afterwards: commits what the work resolves with, rolls back what it throws. */
export async function transact<T, R = T>(
  client: pg.PoolClient,
  db: { readonly url: string },
  { work, open, maxAge, last }: Transaction<T, R>,
): Promise<R> {
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
    throw translate(reason, db)
  } finally {
    clearTimeout(timer)
    client.off('error', onError)
    client.release(broken)
  }
}

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

function ignore(): void {}
