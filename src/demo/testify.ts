import { openSync, writeSync } from 'node:fs'
import type { Testimony } from './witness.ts'

let file: number | undefined

/**
 * Appends one line to the witness file. It is written at once, whatever becomes of the transaction or the process a moment later:
 * the file remembers work that the database has rolled back.
 */
export function testify(testimony: Omit<Testimony, 'at'>): void {
  file ??= openSync(process.env['HOLDFAST_DEMO_WITNESS'] ?? '/dev/null', 'a')
  writeSync(file, `${JSON.stringify({ at: Date.now(), ...testimony })}\n`)
}
