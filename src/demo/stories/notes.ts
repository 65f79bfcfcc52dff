import { readFileSync } from 'node:fs'

/** What a worker says that it did, in a file outside the database. */
export interface Note {
  /** ms since 1970 */
  readonly at: number
  readonly release: number
  readonly task: string
  /** Which one of the task: as it was enqueued, or the id of the job. */
  readonly key: string
  readonly did: 'begin' | 'item' | 'end' | 'error'
  /** Of an iteration. */
  readonly item?: number
}

/** All that was noted so far, in the order in which it was written. */
export function readNotes(file: string): Note[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  // The last one may be half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Note)
}

/** Each of the items 0 to n - 1 once. */
export function eachOnce(items: readonly (number | undefined)[], n: number): boolean {
  return items.length === n && new Set(items).size === n && items.every((item) => item !== undefined && item < n)
}
