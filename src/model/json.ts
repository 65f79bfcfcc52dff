import { type ErrorCode, HoldfastError } from './errors.ts'
import { findJsonFault, type JsonFault, type WalkLimits } from './json-walk.ts'
import { show } from './show.ts'

export interface JsonOptions {
  /** What the value is called in messages, and the root of the path: `input` gives `input.items[3].name`. */
  readonly what?: string
  /** Of the UTF-8 JSON text. */
  readonly maxBytes?: number
  /** How deep objects and arrays may be nested. Default 100: far below what overflows a stack anywhere. */
  readonly maxDepth?: number
  /** Refuse objects with a `toJSON`, too, so that what comes back equals what was passed. Default false. */
  readonly plainOnly?: boolean
  /** Take a Date for the string that it becomes. Default false. */
  readonly dates?: boolean
}

export const MAX_INPUT_BYTES = 256 * 1024
export const MAX_DEPTH = 100

/** Which errors a kind of value raises, and what the size limit is called there. */
export interface JsonCodes {
  readonly unfit: ErrorCode
  readonly tooLarge: ErrorCode
  readonly limit: string
}

const INPUT: JsonCodes = { unfit: 'HF_INPUT', tooLarge: 'HF_INPUT_TOO_LARGE', limit: 'the limit `maxInputBytes`' }
const RESULT: JsonCodes = { unfit: 'HF_RESULT', tooLarge: 'HF_RESULT', limit: 'the limit' }

/**
 * The JSON text of a job's input. What PostgreSQL and every later reader get is exactly what was passed, or it is refused here.
 *
 * Plain data only. Left out, as `JSON.stringify` does: properties that are `undefined` or named by symbols. A missing
 * input (`undefined`) is `null`. An object with a `toJSON` of its own or its class's is taken at its word, a Date is not:
 * it would come back as a string, so a worker would see another type than the producer passed.
 *
 * @throws {HoldfastError} HF_INPUT with the path of the value, HF_INPUT_TOO_LARGE.
 */
export function encodeInput(value: unknown, options: JsonOptions = {}): string {
  return value === undefined ? 'null' : encodeJson(value, INPUT, options.what ?? 'input', options)
}

/**
 * The JSON text of what a task returned, by the same rules, but a Date becomes a string: its readers' types say so (`Json<T>`).
 * The limit is the same.
 * @throws {HoldfastError} HF_RESULT. The job is completed all the same: its work is done.
 */
export function encodeResult(value: unknown, options: JsonOptions = {}): string {
  return value === undefined ? 'null' : encodeJson(value, RESULT, options.what ?? 'result', { ...options, dates: true })
}

/** JSON text by the rules of `encodeInput`, with the caller's codes. */
export function encodeJson(value: unknown, codes: JsonCodes, what: string, options: JsonOptions): string {
  const maxBytes = options.maxBytes ?? MAX_INPUT_BYTES
  const maxDepth = options.maxDepth ?? MAX_DEPTH
  const limits: WalkLimits = {
    maxDepth,
    maxBytes,
    strings: false,
    plainOnly: options.plainOnly === true,
    dates: options.dates === true,
  }

  const fault = findJsonFault(value, limits)
  if (fault !== undefined) throw faultError(fault, value, codes, what, maxBytes)

  const text = stringify(value, codes, what)
  // NUL and half surrogates are always escaped in the text, so that one look finds them in every string and key at once.
  if (text.includes('\\u') && UNSTORABLE.test(text)) {
    const hidden = findJsonFault(value, { ...limits, strings: true }) ?? CHANGED
    throw faultError(hidden, value, codes, what, maxBytes)
  }
  if (text.length * 3 > maxBytes) {
    const bytes = Buffer.byteLength(text)
    if (bytes > maxBytes) throw tooLarge(`${bytes} bytes`, codes, what, maxBytes)
  }
  return text
}

const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/
const CHANGED: JsonFault = { kind: 'unfit', problem: 'changes while it is read', path: [] }

function stringify(value: unknown, codes: JsonCodes, what: string): string {
  try {
    const text: string | undefined = JSON.stringify(value)
    if (text !== undefined) return text
  } catch (cause) {
    throw new HoldfastError(codes.unfit, `${what} changes while it is read`, { cause })
  }
  throw new HoldfastError(codes.unfit, `${what} changes while it is read`)
}

/**
 * The value of JSON text. A key `__proto__` is dropped, wherever it came from: copied by `Object.assign` it would replace a prototype.
 * @throws {HoldfastError} HF_INPUT when it is not JSON.
 */
export function decodeJson(text: string, what = 'input'): unknown {
  try {
    // A key may be written with escapes, so any escape takes the slow way.
    return text.includes('__proto__') || text.includes('\\u') ? JSON.parse(text, dropProto) : JSON.parse(text)
  } catch (cause) {
    throw new HoldfastError('HF_INPUT', `${what} is not JSON`, { cause })
  }
}

function dropProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}

function faultError(fault: JsonFault, root: unknown, codes: JsonCodes, what: string, maxBytes: number): HoldfastError {
  if (fault.kind === 'too-large') return tooLarge(`more than ${maxBytes} bytes`, codes, what, maxBytes)
  const cycle = fault.kind === 'too-deep' ? findCycle(root, fault.path) : undefined
  if (cycle !== undefined) {
    const [from, to] = [pathOf(what, cycle.from), pathOf(what, cycle.to)]
    return new HoldfastError(codes.unfit, `${from} points back to ${to}: JSON cannot carry cycles`)
  }
  const because = fault.cause instanceof Error ? `: ${show(fault.cause.message)}` : ''
  const message = `${pathOf(what, fault.path)} ${fault.problem}${because}`
  return new HoldfastError(codes.unfit, message, fault.cause === undefined ? {} : { cause: fault.cause })
}

function tooLarge(size: string, codes: JsonCodes, what: string, maxBytes: number): HoldfastError {
  return new HoldfastError(codes.tooLarge, `${what} is ${size} of JSON; ${codes.limit} is ${maxBytes}`)
}

/** A cycle shows as depth without end. Following the path once more tells it from real depth. */
function findCycle(
  root: unknown,
  path: JsonFault['path'],
): { from: JsonFault['path']; to: JsonFault['path'] } | undefined {
  const seen = new Map<unknown, number>()
  let value = root
  try {
    for (const [depth, key] of path.entries()) {
      seen.set(value, depth)
      value = (value as Record<string | number, unknown>)[key]
      const first = seen.get(value)
      if (first !== undefined) return { from: path.slice(0, depth + 1), to: path.slice(0, first) }
    }
  } catch {
    // A getter that threw on second reading: then it is only deep.
  }
  return undefined
}

/** `input.items[3]["a key"]`; the middle of a long path is left out. */
function pathOf(what: string, path: JsonFault['path']): string {
  const steps = path.map(stepOf)
  const shown = steps.length > 12 ? [...steps.slice(0, 6), '…', ...steps.slice(-5)] : steps
  return what + shown.join('')
}

function stepOf(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`
  return /^[A-Za-z_$][\w$]{0,59}$/.test(key) ? `.${key}` : `[${show(key)}]`
}
