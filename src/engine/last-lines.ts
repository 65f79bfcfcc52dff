import { writeSync } from 'node:fs'
import type { Database } from '../store/db.ts'
import { saveTails, type TailWrite } from '../store/tails.ts'

/** What a process may leave behind in all: the pipe takes it without anybody reading. */
const MOST_BYTES = 64 * 1024

/**
 * Hands what its runs have logged last to the supervisor, when a process is about to exit: code that calls `process.exit` leaves no time to
 * ask the database. A supervisor that is gone changes nothing.
 */
export function leaveLines(descriptor: number, tails: readonly TailWrite[]): void {
  let left = MOST_BYTES
  for (const { id, run, said, lines } of tails) {
    const line = `${ascii(JSON.stringify({ kind: 'tail', id, run, said, lines }))}\n`
    left -= line.length
    if (left < 0) return
    try {
      writeSync(descriptor, line)
    } catch {
      return
    }
  }
}

/** Keeps what a dead process left, as long as nobody else has its jobs. */
export async function keepLines(db: Database, words: readonly string[]): Promise<void> {
  const tails = words.map(decode).filter((tail) => tail !== undefined)
  if (tails.length > 0) await saveTails(db, tails)
}

/** Read in pieces, of which one may end in the middle of a character. */
function ascii(json: string): string {
  return json.replaceAll(/[\u0080-\uffff]/g, (half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** What a dying process wrote is believed no further than its types. */
function decode(word: string): TailWrite | undefined {
  try {
    const { kind, id, run, said, lines } = JSON.parse(word) as Partial<TailWrite> & { kind?: unknown }
    if (kind !== 'tail' || typeof id !== 'string' || !/^[\da-f-]{36}$/.test(id)) return undefined
    if (!isCount(run) || !isCount(said) || typeof lines !== 'string' || !Array.isArray(JSON.parse(lines)))
      return undefined
    return { id, run, said, lines }
  } catch {
    return undefined
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
}
