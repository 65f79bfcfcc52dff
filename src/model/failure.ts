import { kindOf, show } from './show.ts'
import { sanitizeText } from './text.ts'

/** What is kept of something thrown. Plain JSON, fit for PostgreSQL, and bounded, whatever was thrown. */
export interface Failure {
  /** The error's class, or `Thrown string` and the like for what is no error. */
  readonly name: string
  readonly message: string
  /** `error.code`, as in `ECONNREFUSED`, `23505`, `HF_TIME_LIMIT`. */
  readonly code?: string
  /** The frames only: name and message are not repeated in it. */
  readonly stack?: string
  readonly cause?: Failure
  /** The parts of an AggregateError; the first few. */
  readonly errors?: readonly Failure[]
}

export const MAX_FAILURE_BYTES = 8 * 1024

const MAX_NESTED = 12
const MAX_DEPTH = 5
const MAX_KEYS = 8

/**
 * A description of anything thrown: strings, `undefined`, frozen errors, getters that throw, Proxies, cycles of `cause`,
 * messages of 10 MB. Never throws itself, since otherwise failing a job could fail.
 *
 * @param maxBytes of the description as JSON, in all; not less than 1024.
 */
export function describeFailure(thrown: unknown, maxBytes: number = MAX_FAILURE_BYTES): Failure {
  // Escapes make text longer in JSON, so what fits is known only afterwards.
  for (let longest = maxBytes / 2; longest >= 64; longest /= 2) {
    const failure = describe(thrown, { longest, depth: 0, left: MAX_NESTED, seen: new Set() })
    if (Buffer.byteLength(JSON.stringify(failure)) <= maxBytes) return failure
  }
  return describe(thrown, { longest: 32, depth: 0, left: 0, seen: new Set() })
}

interface Scope {
  /** Bytes for the stack, which is the longest text. */
  readonly longest: number
  readonly depth: number
  /** Nested errors that may still be described, in all. */
  left: number
  readonly seen: Set<unknown>
}

function describe(thrown: unknown, scope: Scope): Failure {
  if (!isObject(thrown)) return describePrimitive(thrown, scope)
  scope.seen.add(thrown)
  const message = read(thrown, 'message')
  const text = typeof message === 'string' ? message : preview(thrown)
  const code = codeOf(thrown, scope)
  const stack = framesOf(thrown, scope)
  const causes = nested([read(thrown, 'cause')], scope)
  const errors = nested(read(thrown, 'errors'), scope)
  return {
    name: nameOf(thrown, typeof message === 'string', scope),
    message: sanitizeText(text, scope.longest / 2),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
    ...(causes[0] !== undefined && { cause: causes[0] }),
    ...(errors.length > 0 && { errors }),
  }
}

function describePrimitive(thrown: unknown, scope: Scope): Failure {
  const name = `Thrown ${thrown === null ? 'null' : typeof thrown}`
  return { name, message: sanitizeText(String(thrown), scope.longest / 2) }
}

function nameOf(thrown: object, isError: boolean, scope: Scope): string {
  if (!isError) return `Thrown ${typeof thrown}`
  const name = read(thrown, 'name')
  return typeof name === 'string' && name !== '' ? sanitizeText(name, Math.min(128, scope.longest)) : 'Error'
}

function codeOf(thrown: object, scope: Scope): string | undefined {
  const code = read(thrown, 'code')
  if (typeof code === 'number') return String(code)
  return typeof code === 'string' && code !== '' ? sanitizeText(code, Math.min(64, scope.longest)) : undefined
}

/** `an object { status: 404 }`: for what is thrown without a message. */
function preview(thrown: object): string {
  try {
    const shown = Object.keys(thrown)
      .slice(0, MAX_KEYS)
      .map((key) => `${key.slice(0, 64)}: ${show(read(thrown, key))}`)
    return shown.length === 0 ? kindOf(thrown) : `${kindOf(thrown)} { ${shown.join(', ')} }`
  } catch {
    return kindOf(thrown) // a Proxy
  }
}

/** The lines `at …` as far as they fit. The lines above repeat the message, which may be long. */
function framesOf(thrown: object, scope: Scope): string | undefined {
  const stack = read(thrown, 'stack')
  if (typeof stack !== 'string') return undefined
  const start = stack.search(/^ {4}at /m)
  if (start === -1) return undefined
  const end = start + scope.longest
  const frames =
    end < stack.length ? stack.slice(start, Math.max(start, stack.lastIndexOf('\n', end))) : stack.slice(start)
  return frames === '' ? undefined : sanitizeText(frames, scope.longest)
}

/** Errors inside an error. They get half the room, and what was described before is left out. */
function nested(values: unknown, scope: Scope): Failure[] {
  const failures: Failure[] = []
  if (scope.depth >= MAX_DEPTH) return failures
  try {
    if (!Array.isArray(values)) return failures
    const count = Math.min(values.length, MAX_NESTED)
    for (let index = 0; index < count && scope.left > 0; index++) {
      const value: unknown = values[index]
      if (value === undefined || value === null || scope.seen.has(value)) continue
      const inner = { ...scope, longest: scope.longest / 2, depth: scope.depth + 1, left: scope.left - 1 }
      failures.push(describe(value, inner))
      scope.left = inner.left
    }
  } catch {
    // A Proxy in place of the array: what was read is kept.
  }
  return failures
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}
