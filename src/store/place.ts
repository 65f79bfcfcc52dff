import type { Queryable } from './db.ts'

/** Tells databases apart: the same server start, the same name. */
export async function placeOf(on: Queryable): Promise<string> {
  // As a number: a time as text depends on the time zone of the session, and the user's sessions may have another one.
  const { rows } = await on.query(
    `select extract(epoch from pg_postmaster_start_time())::text || ' ' || current_database() as place`,
  )
  return (rows[0] as { place: string }).place
}
