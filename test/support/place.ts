import type { Database } from '../../src/store/db.ts'
import { inSchema } from '../../src/store/statements.ts'

/** Where the row of a job lies now, whatever its run was told; a place of nobody's where it has none. */
export async function placeOf(db: Database, id: string): Promise<string> {
  const { rows } = await db.query(inSchema('select ctid as tid from :schema.job where id = $1', db.schema), [id])
  return (rows[0] as { tid: string } | undefined)?.tid ?? '(0,0)'
}
