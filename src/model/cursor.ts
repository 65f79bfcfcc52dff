import { encodeJson, type JsonCodes } from './json.ts'

/** A cursor is a position, written at every checkpoint: what is larger is the data itself. */
export const MAX_CURSOR_BYTES = 64 * 1024

const CURSOR: JsonCodes = { unfit: 'HF_CURSOR', tooLarge: 'HF_CURSOR', limit: 'the most a cursor may have' }

/**
 * The JSON text of the cursor that a source gave after an item. A later run, on another worker, is opened at exactly this
 * value: so it must come back equal to what it was, or it is refused while the item is still undone.
 *
 * @param source its name, for the message: `cursor of csv orders.csv.row is a bigint`.
 * @throws {HoldfastError} HF_CURSOR.
 */
export function encodeCursor(cursor: unknown, source: string): string {
  return encodeJson(cursor, CURSOR, `cursor of ${source}`, { maxBytes: MAX_CURSOR_BYTES, plainOnly: true })
}
