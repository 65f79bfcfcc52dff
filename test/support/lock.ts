import pg from 'pg'
import { inSchema } from '../../src/store/statements.ts'
import type { Stage } from './stage.ts'
import { until } from './until.ts'

export interface HeldLock extends AsyncDisposable {
  release(): Promise<void>
}

/** Another session that holds what this statement locks, until it is told to let go. */
export async function holdLock(stage: Stage, sql: string, values: readonly unknown[] = []): Promise<HeldLock> {
  const client = new pg.Client({ connectionString: stage.database })
  client.on('error', () => {})
  await client.connect()
  await client.query('begin')
  await client.query(inSchema(sql, stage.schema), values as unknown[])
  let held = true
  const release = async () => {
    if (held) await client.query('rollback')
    held = false
  }
  return {
    release,
    async [Symbol.asyncDispose]() {
      await release()
      await client.end()
    },
  }
}

/** Until one of our statements on this stage waits for a lock. */
export function untilBlocked(stage: Stage): Promise<void> {
  const blocked = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like $1`
  return until(async () => (await stage.sql(blocked, [`%${stage.schema}.job%`])).length > 0, {
    what: 'a statement waits for the lock',
  })
}
