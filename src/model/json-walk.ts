import { isDate } from 'node:util/types'
import { kindOf } from './show.ts'

/** Why a value cannot travel as JSON, and where. */
export interface JsonFault {
  readonly kind: 'unfit' | 'too-deep' | 'too-large'
  /** Reads on after the name of the place: `is a bigint: pass it as a string`. */
  readonly problem: string
  /** The keys and indexes from the outside to the inside. */
  readonly path: (string | number)[]
  /** What a getter, a Proxy or a `toJSON` threw. */
  readonly cause?: unknown
}

export interface WalkLimits {
  readonly maxDepth: number
  readonly maxBytes: number
  /** Look into every string: only needed to find the place of what is already known to be there. */
  readonly strings: boolean
  /** Take a Date for the string that it becomes. */
  readonly dates: boolean
  /** Refuse objects with a `toJSON`, too: they come back as something else. */
  readonly plainOnly: boolean
}

interface Walk extends WalkLimits {
  /** At least this many bytes of JSON so far. Bounds the walk where a small object is reached by 2^100 paths. */
  bytes: number
}

/**
 * The first value that JSON would drop, change or refuse, or `undefined`.
 *
 * One pass that allocates nothing while all is well, since it runs on every enqueue: the path is put together on the way
 * back from a fault. Properties that are `undefined` or named by a symbol are left out, as `JSON.stringify` does.
 */
export function findJsonFault(value: unknown, limits: WalkLimits): JsonFault | undefined {
  const { maxDepth, maxBytes, strings, dates, plainOnly } = limits
  return check(value, 0, { maxDepth, maxBytes, strings, dates, plainOnly, bytes: 0 })
}

function check(value: unknown, depth: number, walk: Walk): JsonFault | undefined {
  switch (typeof value) {
    case 'string':
      return checkString(value, walk)
    case 'number':
      return checkNumber(value, walk)
    case 'boolean':
      return grow(walk, 4)
    case 'object':
      return value === null ? grow(walk, 4) : checkObject(value, depth, walk)
    case 'undefined':
      return unfit('is undefined: pass null')
    case 'bigint':
      return unfit('is a bigint: pass it as a string')
    default:
      return unfit(`is a ${typeof value}, which JSON cannot carry`)
  }
}

function checkString(value: string, walk: Walk): JsonFault | undefined {
  if (walk.strings) {
    const problem = textProblem(value)
    if (problem !== undefined) return unfit(problem)
  }
  return grow(walk, value.length + 2)
}

function textProblem(value: string): string | undefined {
  if (value.includes('\0')) return 'contains a NUL character, which PostgreSQL cannot store: remove it'
  if (!value.isWellFormed()) return 'contains half of a surrogate pair: a character was cut in two'
  return undefined
}

function checkNumber(value: number, walk: Walk): JsonFault | undefined {
  if (value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER) return grow(walk, 1)
  if (!Number.isFinite(value)) return unfit(`is ${value}, which JSON cannot carry: pass null or a string`)
  // Every double out here is a whole number that has lost its neighbours: most likely an id read from elsewhere.
  return unfit('is beyond 2^53, where whole numbers lose digits: pass it as a string')
}

function checkObject(value: object, depth: number, walk: Walk): JsonFault | undefined {
  if (depth >= walk.maxDepth) return fault('too-deep', `is nested deeper than ${walk.maxDepth} levels`)
  try {
    if (Array.isArray(value)) return checkArray(value, depth, walk)
    if (!isPlain(value) || typeof (value as { toJSON?: unknown }).toJSON === 'function') {
      return checkInstance(value, depth, walk)
    }
    return checkEntries(value as Record<string, unknown>, depth, walk)
  } catch (cause) {
    return unfit('cannot be read', cause)
  }
}

function checkArray(value: readonly unknown[], depth: number, walk: Walk): JsonFault | undefined {
  for (let index = 0; index < value.length; index++) {
    const found = check(value[index], depth + 1, walk)
    if (found !== undefined) return within(index, found)
  }
  return grow(walk, value.length + 1)
}

function checkEntries(value: Readonly<Record<string, unknown>>, depth: number, walk: Walk): JsonFault | undefined {
  let at = ''
  try {
    for (const key of Object.keys(value)) {
      at = key
      const found = checkEntry(key, value[key], depth, walk)
      if (found !== undefined) return within(key, found)
    }
  } catch (cause) {
    return within(at, unfit('cannot be read', cause)) // a getter
  }
  return grow(walk, 2)
}

function checkEntry(key: string, value: unknown, depth: number, walk: Walk): JsonFault | undefined {
  if (value === undefined) return undefined
  if (key === '__proto__')
    return unfit('is a key that would replace the prototype of whatever it is copied to: rename it')
  if (walk.strings) {
    const problem = textProblem(key)
    if (problem !== undefined) return unfit(`is a key that ${problem}`)
  }
  return grow(walk, key.length + 3) ?? check(value, depth + 1, walk)
}

/** Objects of a class. Those that say by `toJSON` what they are as JSON (URL, Decimal, Temporal) are taken at their word. */
function checkInstance(value: object, depth: number, walk: Walk): JsonFault | undefined {
  if (isDate(value) && walk.dates && !Number.isNaN(value.getTime())) return grow(walk, 26)
  if (isDate(value)) return unfit('is a Date, which comes back as a string: pass date.toISOString()')
  if (ArrayBuffer.isView(value)) return unfit(`is ${kindOf(value)}: pass it as a base64 string`)
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON !== 'function') return unfit(`is ${kindOf(value)}, which JSON cannot carry: pass plain data`)
  if (walk.plainOnly)
    return unfit(`is ${kindOf(value)} with a toJSON, so it would come back as something else: pass plain data`)
  const json: unknown = toJSON.call(value, '')
  return json === value ? checkEntries(value as Record<string, unknown>, depth, walk) : check(json, depth + 1, walk)
}

/** Plain in any realm: its prototype is null, or the end of the chain. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype) return true
  if (prototype === null) return !isRawJson(value)
  return Object.getPrototypeOf(prototype) === null
}

/** `JSON.rawJSON(text)` is printed as it is, past every check. */
const isRawJson = (value: unknown): boolean =>
  (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)

function grow(walk: Walk, bytes: number): JsonFault | undefined {
  walk.bytes += bytes
  return walk.bytes > walk.maxBytes ? fault('too-large', 'is too large') : undefined
}

function unfit(problem: string, cause?: unknown): JsonFault {
  return { ...fault('unfit', problem), cause }
}

function fault(kind: JsonFault['kind'], problem: string): JsonFault {
  return { kind, problem, path: [] }
}

function within(key: string | number, found: JsonFault): JsonFault {
  found.path.unshift(key)
  return found
}
