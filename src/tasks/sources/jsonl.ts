import { HoldfastError } from '../../model/errors.ts'
import { checkInteger, checkKeys } from '../../model/options.ts'
import type { Schema, SchemaOutput } from '../schema.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { type ByteReader, byteReader, type FileInput } from './bytes.ts'
import { cursorCount, cursorObject } from './cursor.ts'
import { parseItem, requireSchema } from './schema-item.ts'
import { textFrom } from './text-file.ts'

export interface JsonlOptions {
  /** The longest line, so that a file that has none does not end up in memory. Default 8 MiB. */
  readonly maxLineBytes?: number
  /** Count the lines first, for progress and ETA. It reads the whole file once. Default false. */
  readonly count?: boolean
}

/**
 * The values of a file of JSON lines (NDJSON, UTF-8): one JSON value a line. The cursor is a byte offset.
 *
 * Lines end with LF or CRLF, the last line break may be missing; a byte order mark and blank lines are skipped. What
 * is no JSON or no UTF-8 raises HF_SOURCE_FORMAT, what does not fit `line` HF_ITEM; both name the line and the byte.
 * The file must not be rewritten while a job reads it; growing by whole lines is fine.
 */
export function jsonl(file: FileInput, options?: JsonlOptions): Source<unknown>
/** @param options with `line`: the schema of a line. Items are what it gives out. */
export function jsonl<S extends Schema>(
  file: FileInput,
  options: JsonlOptions & { readonly line: S },
): Source<SchemaOutput<S>>
export function jsonl(file: FileInput, options: JsonlOptions & { readonly line?: Schema } = {}): Source<unknown> {
  const reader = byteReader('jsonl', file)
  checkKeys(options, ['line', 'maxLineBytes', 'count'], 'jsonl()')
  if (options.line !== undefined) requireSchema('`line` of jsonl()', options.line)
  const maxLineBytes = checkInteger(
    options.maxLineBytes ?? 8 * 1024 * 1024,
    1,
    512 * 1024 ** 2,
    '`maxLineBytes` of jsonl()',
  )
  const setup: Setup = { reader, schema: options.line, maxLineBytes }
  return {
    name: reader.name,
    open: (cursor, context) => read(setup, parsePosition(reader.name, cursor), context),
    ...(options.count === true && { count: (context) => countLines(setup, context.signal) }),
  }
}

interface Setup {
  readonly reader: ByteReader
  readonly schema: Schema | undefined
  readonly maxLineBytes: number
}

interface Position {
  readonly byte: number
  /** Lines done. */
  readonly line: number
}

const START: Position = { byte: 0, line: 0 }

async function* read(setup: Setup, from: Position, context: SourceContext): AsyncGenerator<SourceItem<unknown>, void> {
  let at = from
  for await (const text of lines(setup, from, context.signal)) {
    context.signal.throwIfAborted()
    const next = { byte: at.byte + text.length, line: at.line + 1 }
    const where = () => `${setup.reader.name}: line ${next.line} (byte ${at.byte})`
    const value = parseLine(at.byte === 0 ? withoutMark(text) : text, where)
    if (value !== undefined) {
      const item = setup.schema === undefined ? value : parseItem(setup.schema, value, where)
      yield { item: item instanceof Promise ? await item : item, cursor: next }
    }
    at = next
  }
}

/** `undefined` for a blank line: JSON has no such value. */
function parseLine(line: Buffer, where: () => string): unknown {
  if (isBlank(line)) return undefined
  try {
    return JSON.parse(line.toString('utf8'))
  } catch (cause) {
    throw new HoldfastError('HF_SOURCE_FORMAT', `${where()} is not JSON: ${(cause as Error).message}`, { cause })
  }
}

async function countLines(setup: Setup, signal: AbortSignal): Promise<number> {
  let count = 0
  let first = true
  for await (const line of lines(setup, START, signal)) {
    if (!isBlank(first ? withoutMark(line) : line)) count++
    first = false
  }
  return count
}

/** Nothing but what JSON takes for white space. Looks at one byte of almost every line. */
function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 32 || (byte >= 9 && byte <= 13))
}

function withoutMark(line: Buffer): Buffer {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line
}

const LF = 10

/** Lines with their line breaks, so that lengths add up to offsets. */
async function* lines(
  { reader, maxLineBytes }: Setup,
  from: Position,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  let parts: Buffer[] = []
  let held = 0
  let done = from.line
  for await (const chunk of textFrom(reader, from.byte, signal)) {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LF, start) + 1
      const piece = chunk.subarray(start, end === 0 ? chunk.length : end)
      held += piece.length
      if (held > maxLineBytes) throw tooLong(reader.name, done + 1, maxLineBytes)
      if (end === 0) {
        if (piece.length > 0) parts.push(piece)
        break
      }
      yield parts.length === 0 ? piece : Buffer.concat([...parts, piece])
      parts = []
      held = 0
      done++
      start = end
    }
  }
  if (held > 0) yield Buffer.concat(parts)
}

function tooLong(name: string, line: number, most: number): HoldfastError {
  return new HoldfastError(
    'HF_SOURCE_FORMAT',
    `${name}: line ${line} is longer than ${most} bytes: raise \`maxLineBytes\``,
  )
}

function parsePosition(name: string, cursor: unknown): Position {
  if (cursor === undefined) return START
  const { byte, line } = cursorObject(name, cursor, ['byte', 'line'])
  return { byte: cursorCount(name, cursor, byte, 'byte'), line: cursorCount(name, cursor, line, 'line') }
}
