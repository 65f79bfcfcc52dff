import type pg from 'pg'
import { codeOf } from './db-errors.ts'
import type { StatementName } from './statements.ts'

/** The hot path. Planning is a tenth of what it costs the server, and a third of a claim of one job (docs/decisions/0012). */
export const PREPARED: ReadonlySet<string> = new Set(['claim', 'complete', 'enqueue'] satisfies StatementName[])

/**
 * A pooler gives its clients process ids of its own making. Where the server says the same one as the connection, nobody stands between them, and
 * the session lasts as long as the connection: only there may anything be left behind in it.
 *
 * A plan that is kept was made for the tables as they were: for one page of jobs, reading and joining them all is best, and among the 100,000 that
 * are enqueued a moment later such a claim took 6 s. So what is only ever good for little is no choice in these sessions. Compiling is none
 * either, for PostgreSQL up to 17 holds a plan for dear that uses what is switched off.
 */
export const SETTINGS = [
  ['plan_cache_mode', 'force_generic_plan'],
  ['enable_seqscan', 'off'],
  ['jit', 'off'],
] as const

const CLAIM_SESSION = `select ${SETTINGS.map(([name, value]) => `set_config('${name}', '${value}', false)`).join(', ')}
  where pg_backend_pid() = $1::int`

/** The server does not know what was prepared, knows it already, or will not use it any more: it has done nothing. */
const UNPREPARED = /^(26000|42P05|0A000)$/

export interface PreparedStatement {
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

const own = new WeakMap<pg.ClientBase, boolean>()

/**
 * Sends a statement that its session keeps, with its plan; where the session is not its connection's own, like any other.
 * @param pool for nothing but such statements
 */
export async function sendPrepared(pool: pg.Pool, statement: PreparedStatement): Promise<pg.QueryResult> {
  const client = await pool.connect()
  let broken: Error | undefined
  // What breaks the connection also fails the statement; without a listener node would exit.
  client.on('error', ignore)
  try {
    return await send(client, statement)
  } catch (error) {
    broken = error as Error
    throw error
  } finally {
    client.off('error', ignore)
    client.release(broken)
  }
}

async function send(client: pg.ClientBase, { name, text, values }: PreparedStatement): Promise<pg.QueryResult> {
  const unnamed = { text, values: values as unknown[] }
  if (!(own.get(client) ?? (await claimSession(client)))) return client.query(unnamed)
  try {
    return await client.query({ name, ...unnamed })
  } catch (error) {
    if (!UNPREPARED.test(codeOf(error) ?? '')) throw error
    own.set(client, false)
    return client.query(unnamed)
  }
}

async function claimSession(client: pg.ClientBase): Promise<boolean> {
  const { processID } = client as unknown as { readonly processID: number | null }
  const { rows } = await client.query(CLAIM_SESSION, [processID])
  own.set(client, rows.length > 0)
  return rows.length > 0
}

function ignore(): void {}
