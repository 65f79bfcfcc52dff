import pg from 'pg'
import { number, withClient } from './server.ts'

export interface HeldSnapshot {
  /** @returns whether it was held up to now, and the dead rows that nobody could clear away meanwhile. */
  release(): Promise<{ stillHeld: boolean; dead: number }>
}

/** What a long report or a forgotten psql does: a transaction that keeps its view of the whole database. */
export async function holdSnapshot(url: string): Promise<HeldSnapshot> {
  const holder = new pg.Client(url)
  await holder.connect()
  await holder.query('begin isolation level repeatable read')
  await holder.query('select count(*) from holdfast.worker')
  const pid = await number(holder, 'select pg_backend_pid()')
  const horizon = () =>
    withClient(url, (client) =>
      number(client, 'select backend_xmin::text::bigint from pg_stat_activity where pid = $1', [pid]),
    )
  const before = await horizon()
  return {
    async release() {
      const after = await horizon()
      const dead = await withClient(url, (client) =>
        number(client, `select n_dead_tup from pg_stat_user_tables where schemaname = 'holdfast' and relname = 'job'`),
      )
      await holder.query('commit')
      await holder.end()
      return { stillHeld: before === after && before > 0, dead }
    },
  }
}
