import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from './db.ts'
import { codeOf, isTransient } from './db-errors.ts'

/** Each with the moment whose day a row belongs to. */
const TABLES = { history: 'ended_at', trail: 'ended_at', tail: 'started_at' } as const
/** Settling never waits for this: what has no day goes to the default partition. */
const DAYS_AHEAD = 7
const LOCK_TIMEOUT_MS = 1_000
const ATTEMPTS = 5

interface Partition {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly present: boolean
  readonly expired: boolean
}

/** Makes the partitions of the coming days, and drops the days that are older than `keep` ms. Safe when several workers do it at once. */
export async function maintainPartitions(
  db: Database,
  keep: number,
  ahead = DAYS_AHEAD,
): Promise<{ made: number; dropped: number }> {
  let made = 0
  let dropped = 0
  for (const [table, moment] of Object.entries(TABLES)) {
    const partitions = await db.run<Partition>('partitions', [db.schema, table, ahead, keep])
    for (const partition of partitions) {
      if (!partition.present) {
        if (await retried(() => make(db, table, moment, partition))) made++
      } else if (partition.expired) {
        if (await retried(() => drop(db, partition))) dropped++
      }
    }
  }
  return { made, dropped }
}

/** Rows, workers, marks and requests that outlived their use. */
export async function prune(db: Database, keep: number): Promise<void> {
  await db.run('prune', [keep, 1_000])
}

export const FIRST_PROGRESS = '00000000-0000-0000-0000-000000000000'

/** Progress that nobody needs any more. @returns where to go on the next time; at the end, that is the beginning again */
export async function forgetProgress(db: Database, after: string, most: number): Promise<string> {
  const [row] = await db.run<{ last: string; looked: number }>('forget_progress', [after, most])
  return row?.looked === most ? row.last : FIRST_PROGRESS
}

/** Lets recent jobs be found by id; cheap when there is nothing new. */
export async function summarizeHistory(db: Database): Promise<void> {
  await db.run('summarize', [])
}

/**
 * Made apart and attached: that locks neither the parent nor its other days against writers. Names and dates come from the database's
 * own calendar and fit `table_YYYYMMDD`.
 */
async function make(db: Database, table: string, moment: string, { name, from, to }: Partition): Promise<void> {
  const { schema } = db
  const range = `from ('${from} 00:00:00+00') to ('${to} 00:00:00+00')`
  const within = `${moment} >= '${from} 00:00:00+00' and ${moment} < '${to} 00:00:00+00'`
  await locked(db, async (query) => {
    await query(`create table ${schema}.${name} (like ${schema}.${table} including defaults)`)
    // Rows of that day that came before its partition did.
    await query(
      `with moved as (delete from ${schema}.${table}_default where ${within} returning *) insert into ${schema}.${name} select * from moved`,
    )
    await query(`alter table ${schema}.${table} attach partition ${schema}.${name} for values ${range}`)
  })
}

async function drop(db: Database, { name }: Partition): Promise<void> {
  await locked(db, (query) => query(`drop table if exists ${db.schema}.${name}`))
}

async function locked(
  db: Database,
  work: (query: (text: string) => Promise<unknown>) => Promise<unknown>,
): Promise<void> {
  await db.transaction(async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`holdfast partitions ${db.schema}`])
    await work((text) => client.query(text))
  }, `set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
}

/** False: somebody else did it, or the table stayed busy: the next round tries again. */
async function retried(work: () => Promise<void>): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await work()
      return true
    } catch (error) {
      if (codeOf(error) === '42P07') return false
      // Rows may have come to the default partition since they were moved, which is transient too.
      if (!isTransient(error)) throw error
      await sleep(100 * attempt)
    }
  }
  return false
}
