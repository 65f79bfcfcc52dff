import type { Queryable } from './db.ts'

/** Tells databases apart: the same server start, the same name. */
export async function placeOf(on: Queryable): Promise<string> {
  const { rows } = await on.query(`select pg_postmaster_start_time()::text || ' ' || current_database() as place`)
  return (rows[0] as { place: string }).place
}
