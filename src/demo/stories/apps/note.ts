import { openSync, writeSync } from 'node:fs'
import type { Note } from '../notes.ts'

let file: number | undefined

/** Appends one line to the witness file, at once: it stays, whatever becomes of the transaction or the process a moment later. */
export function note(what: Omit<Note, 'at'>): void {
  file ??= openSync(process.env['HOLDFAST_DEMO_WITNESS'] ?? '/dev/null', 'a')
  writeSync(file, `${JSON.stringify({ at: Date.now(), ...what })}\n`)
}
