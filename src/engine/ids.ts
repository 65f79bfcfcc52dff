import { randomFillSync } from 'node:crypto'
import { v7, validate } from 'uuid'

const BYTES = 16
/** Random bytes for this many ids are drawn at once: drawn one by one they cost a quarter of a bulk enqueue. */
const POOL_IDS = 256

const pool = new Uint8Array(BYTES * POOL_IDS)
let used = pool.length

/** Ids are time-ordered (UUIDv7), so that indexes grow at one end. Order of work never comes from them: clients' clocks differ. */
export function uuidv7(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const random = pool.slice(used, used + BYTES)
  used += BYTES
  return v7({ random })
}

/** What is no UUID is no job; PostgreSQL would refuse the statement for it. */
export function isId(text: string): boolean {
  return validate(text)
}
