import { isSecretKey, maskSecrets } from '../model/mask.ts'
import { sanitizeText } from '../model/text.ts'
import type { Fence } from '../store/fence.ts'
import type { TailLine, TailWrite } from '../store/tails.ts'

/** Of each run, so many lines are kept at most, with so many bytes. */
export const TAIL_LINES = 200
export const TAIL_BYTES = 16 * 1024
const LINE_BYTES = 2 * 1024

/** The last lines that one run has logged: those that its worker would take along when it dies. */
export class Tail {
  readonly #lines: string[] = []
  #bytes = 0
  #said = 0
  /** How much of it is kept in the database. */
  #kept = 0

  add(line: TailLine): void {
    const text = JSON.stringify(line)
    this.#said++
    this.#lines.push(text)
    this.#bytes += Buffer.byteLength(text)
    while (this.#lines.length > TAIL_LINES || this.#bytes > TAIL_BYTES) {
      this.#bytes -= Buffer.byteLength(this.#lines.shift() as string)
    }
  }

  /** What is to be written; undefined: everything is kept already. */
  write({ id, run }: Fence): TailWrite | undefined {
    if (this.#said === this.#kept) return undefined
    return { id, run, said: this.#said, lines: `[${this.#lines.join(',')}]` }
  }

  keptUpTo(said: number): void {
    this.#kept = Math.max(this.#kept, said)
  }
}

/** One line of text, fit for PostgreSQL and without secrets, of whatever was logged. Never throws: a log line must not fail its job. */
export function lineText(message: unknown, data: object | undefined): string {
  const text = [safe(message), ...(data === undefined ? [] : [dataText(data)])].join(' ')
  // Masked before it is cut: half a password would not be known for one.
  return sanitizeText(maskSecrets(text.slice(0, 4 * LINE_BYTES)), LINE_BYTES)
}

function safe(message: unknown): string {
  try {
    return String(message)
  } catch {
    return '(unreadable)'
  }
}

function dataText(data: object): string {
  const inside = new Set<unknown>()
  try {
    return (
      JSON.stringify(data, (key, value: unknown) => {
        if (isSecretKey(key)) return '***'
        if (typeof value === 'bigint') return String(value)
        if (value instanceof Error) return `${value.name}: ${value.message}`
        if (typeof value !== 'object' || value === null) return value
        if (inside.has(value)) return '(seen above)'
        inside.add(value)
        return value
      }) ?? ''
    )
  } catch {
    return '(unreadable)'
  }
}
