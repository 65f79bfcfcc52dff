import type { Database } from '../store/db.ts'
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

/** Keeps what `UNSAVED` gave, from the thread that asked. */
export async function rescueTails(db: Database, unsaved: unknown): Promise<void> {
  const tails = typeof unsaved === 'string' ? (JSON.parse(unsaved) as TailWrite[]) : []
  if (tails.length > 0) await saveTails(db, tails)
}
