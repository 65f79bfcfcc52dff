import { Database } from '../store/db.ts'
import type { RenewalOptions } from '../store/renewal.ts'
import { saveTails, type TailWrite } from '../store/tails.ts'

/** A registered symbol: this package may have been loaded a second time, and each copy has its own lines. */
const PLACE = 'holdfast.tails'
const REGISTERED = Symbol.for(PLACE)
type Unsaved = () => readonly TailWrite[]

/**
 * Evaluated on the main thread while that is held still in the middle of its code: what its runs have logged and nobody has kept yet, as
 * JSON. A loop that is blocked sends nothing by itself, and the process may be killed without ever having turned again.
 */
export const UNSAVED = `JSON.stringify([...(globalThis[Symbol.for('${PLACE}')] ?? [])].flatMap((unsaved) => unsaved()))`

/** Lets another thread ask for the lines. Gives the way to end that. */
export function letRescue(unsaved: Unsaved): () => void {
  const place = globalThis as { [REGISTERED]?: Set<Unsaved> }
  place[REGISTERED] ??= new Set()
  const all = place[REGISTERED]
  all.add(unsaved)
  return () => all.delete(unsaved)
}

const PATIENCE_MS = 2_000

/** Keeps what `UNSAVED` gave, from the thread that asked. */
export async function rescueTails(renewal: RenewalOptions | undefined, unsaved: string): Promise<void> {
  const tails = JSON.parse(unsaved) as TailWrite[]
  if (renewal === undefined || tails.length === 0) return
  const { url, direct, schema } = renewal
  const db = new Database({ url: direct?.url ?? url, schema, connections: 1, statementTimeout: PATIENCE_MS })
  try {
    await saveTails(db, tails)
  } finally {
    await db.close()
  }
}
