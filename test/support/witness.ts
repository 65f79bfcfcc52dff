import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** One thing that code said it did. `at` is wall time, for messages only. */
export interface Sighting {
  readonly what: string
  readonly pid: number
  readonly at: number
  readonly [key: string]: unknown
}

/**
 * An append-only file outside PostgreSQL in which the code under test writes down what it does: a side effect that no rollback takes back.
 * One `write` a line on a file opened for appending, so lines of several processes never mix, and those of a killed one are there.
 */
export interface Witness extends Disposable {
  readonly path: string
  readonly write: (what: string, data?: object) => void
  /** Everything written so far, or what was written of one kind. */
  saw(what?: string): Sighting[]
  /** Each call of what this gives returns what was written since the call before. */
  follow(): () => Sighting[]
}

export function createWitness(): Witness {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-witness-'))
  const file = path.join(folder, 'witness.jsonl')
  return {
    path: file,
    write: witnessTo(file),
    saw: (what) => readWitness(file).filter((sighting) => what === undefined || sighting.what === what),
    follow() {
      let from = sizeOf(file)
      return () => {
        const bytes = readFileSync(file).subarray(from)
        const end = bytes.lastIndexOf('\n') + 1
        from += end
        return parse(bytes.toString('utf8', 0, end))
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** For the code under test, in whatever process. */
export function witnessTo(file: string): (what: string, data?: object) => void {
  const descriptor = openSync(file, 'a')
  return (what, data) => {
    writeSync(descriptor, `${JSON.stringify({ what, pid: process.pid, at: Date.now(), ...data })}\n`)
  }
}

function readWitness(file: string): Sighting[] {
  return parse(readFileSync(file, 'utf8'))
}

function sizeOf(file: string): number {
  return statSync(file).size
}

function parse(text: string): Sighting[] {
  const lines = text.split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Sighting)
}
