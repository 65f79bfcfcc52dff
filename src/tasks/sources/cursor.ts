import { HoldfastError } from '../../model/errors.ts'

const SHOWN = 120

/**
 * The error for a cursor that this source cannot have given. It is raised instead of starting over: that would repeat
 * work silently.
 */
export function mismatch(source: string, cursor: unknown, why: string): HoldfastError {
  const text = JSON.stringify(cursor) ?? 'undefined'
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
  return new HoldfastError(
    'HF_CURSOR_MISMATCH',
    `The source «${source}» cannot go on at the saved cursor ${shown}: ${why}`,
  )
}

/**
 * The cursor as an object with exactly these properties (a name that ends in `?` may be missing).
 * Cursors name what they hold (`{ "byte": … }`, `{ "after": … }`), so that one of another source is recognised.
 */
export function cursorObject(source: string, cursor: unknown, shape: readonly string[]): Record<string, unknown> {
  const names = shape.map((name) => name.replace('?', ''))
  const expected = `it expects an object with ${names.join(', ')}`
  if (typeof cursor !== 'object' || cursor === null || Array.isArray(cursor)) throw mismatch(source, cursor, expected)
  const missing = shape.some((name) => !name.endsWith('?') && !Object.hasOwn(cursor, name))
  const surplus = Object.keys(cursor).some((name) => !names.includes(name))
  if (missing || surplus) throw mismatch(source, cursor, expected)
  return cursor as Record<string, unknown>
}

/** A count or an offset out of a cursor. */
export function cursorCount(source: string, cursor: unknown, value: unknown, name: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw mismatch(source, cursor, `${name} is not a whole number from 0 on`)
}
