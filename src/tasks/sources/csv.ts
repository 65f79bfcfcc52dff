import { createHash } from 'node:crypto'
import { HoldfastError } from '../../model/errors.ts'
import { checkInteger, checkKeys } from '../../model/options.ts'
import { show } from '../../model/show.ts'
import type { Schema, SchemaOutput } from '../schema.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { type ByteReader, byteReader, type FileInput } from './bytes.ts'
import { refuseOption } from './check.ts'
import { type CsvFormat, type CsvRecord, type CsvStart, CsvSyntax, csvRecords } from './csv-records.ts'
import { cursorCount, cursorObject, mismatch } from './cursor.ts'
import { parseItem, requireSchema } from './schema-item.ts'
import { textFrom } from './text-file.ts'

export interface CsvOptions {
  /** Between the fields of a record. Default `,`. */
  readonly delimiter?: string
  /**
   * Around fields that hold delimiters, line breaks or quotes. Default `"`. `false`: quotes are ordinary characters,
   * as in many TSV files.
   */
  readonly quote?: string | false
  /** The names of the columns of a file without a header line. */
  readonly columns?: readonly string[]
  /** The longest record, so that an unclosed quote does not read a whole file into memory. Default 8 MiB. */
  readonly maxRecordBytes?: number
  /** Count the rows first, for progress and ETA. It reads the whole file once. Default false. */
  readonly count?: boolean
}

/**
 * The rows of a CSV file (RFC 4180, UTF-8) as objects, named by its header line. The cursor is a byte offset, so that
 * resuming a 10 GB file reads nothing twice but the header.
 *
 * Line breaks may be LF, CRLF or CR, and the last one may be missing; a byte order mark and empty lines are skipped.
 * A row with too many or too few fields, bad quotes or bytes that are not UTF-8 raise HF_SOURCE_FORMAT, a row that
 * does not fit `row` HF_ITEM; both name the record, the line and the byte. Rows before the bad one are done first.
 * The file must not be rewritten while a job reads it; growing is fine. What is found out about that is
 * HF_SOURCE_CHANGED.
 */
export function csv(file: FileInput, options?: CsvOptions): Source<Record<string, string>>
/**
 * @param options with `row`: the schema of a row. Items are what it gives out, so it may convert:
 * `z.coerce.number()`.
 */
export function csv<S extends Schema>(
  file: FileInput,
  options: CsvOptions & { readonly row: S },
): Source<SchemaOutput<S>>
export function csv(file: FileInput, options: CsvOptions & { readonly row?: Schema } = {}): Source<unknown> {
  const reader = byteReader('csv', file)
  checkKeys(options, ['row', 'delimiter', 'quote', 'columns', 'maxRecordBytes', 'count'], 'csv()')
  if (options.row !== undefined) requireSchema('`row` of csv()', options.row)
  const format = parseFormat(options)
  const columns = options.columns === undefined ? undefined : checkColumns(options.columns)
  const setup: Setup = { reader, format, columns, row: options.row }
  return {
    name: reader.name,
    open: (cursor, context) => read(setup, parsePosition(reader.name, cursor), context),
    ...(options.count === true && { count: (context) => countRows(setup, context.signal) }),
  }
}

interface Setup {
  readonly reader: ByteReader
  readonly format: CsvFormat
  readonly columns: readonly string[] | undefined
  readonly row: Schema | undefined
}

interface Position extends CsvStart {
  /** Rows done. */
  readonly record: number
  /**
   * A digest of the column names: a wide header is not worth saving with every checkpoint. Missing when the columns
   * are given.
   */
  readonly header?: string
}

const START: Position = { byte: 0, line: 0, record: 0 }

async function* read(
  setup: Setup,
  from: Position | undefined,
  context: SourceContext,
): AsyncGenerator<SourceItem<unknown>, void> {
  const { reader, format, row } = setup
  let columns = setup.columns ?? (from === undefined ? undefined : await headerAgain(setup, from, context.signal))
  let digest = setup.columns === undefined ? from?.header : undefined
  let at: Position = from ?? START
  try {
    for await (const records of csvRecords(textFrom(reader, at.byte, context.signal), at, format)) {
      for (const record of records) {
        context.signal.throwIfAborted()
        if (columns === undefined) {
          columns = checkHeader(reader.name, record.fields)
          digest = digestOf(columns)
          at = { byte: record.end, line: record.lastLine, record: 0 }
          continue
        }
        const where = () => describe(reader.name, at, record)
        const object = toObject(columns, record.fields, where)
        const item = row === undefined ? object : parseItem(row, object, where)
        const next = { byte: record.end, line: record.lastLine, record: at.record + 1 }
        const cursor = digest === undefined ? next : { ...next, header: digest }
        yield { item: item instanceof Promise ? await item : item, cursor }
        at = next
      }
    }
  } catch (error) {
    if (!(error instanceof CsvSyntax)) throw error
    const place = `record ${at.record + 1}, which begins after line ${at.line} (byte ${at.byte}),`
    throw new HoldfastError('HF_SOURCE_FORMAT', `${reader.name}: ${place} ${error.message}`, { cause: error.cause })
  }
  if (columns === undefined) context.warn(`${reader.name} is empty: it has not even a header line`)
}

async function countRows({ reader, format, columns }: Setup, signal: AbortSignal): Promise<number> {
  let records = 0
  for await (const more of csvRecords(textFrom(reader, 0, signal), START, format)) records += more.length
  return Math.max(0, columns === undefined ? records - 1 : records)
}

function toObject(columns: readonly string[], fields: readonly string[], where: () => string): Record<string, string> {
  if (fields.length !== columns.length) {
    const has = fields.length === 1 ? '1 field' : `${fields.length} fields`
    throw new HoldfastError('HF_SOURCE_FORMAT', `${where()} has ${has} instead of ${columns.length}`)
  }
  const object: Record<string, string> = {}
  for (let index = 0; index < columns.length; index++) object[columns[index] as string] = fields[index] as string
  return object
}

function describe(name: string, at: Position, record: CsvRecord): string {
  return `${name}: record ${at.record + 1}, line ${record.firstLine} (byte ${at.byte}),`
}

/** A resume reads the header line again, from the start of the file. */
async function headerAgain({ reader, format }: Setup, from: Position, signal: AbortSignal): Promise<readonly string[]> {
  for await (const [header] of csvRecords(textFrom(reader, 0, signal), START, format)) {
    if (header === undefined) continue
    const columns = checkHeader(reader.name, header.fields)
    if (digestOf(columns) === from.header) return columns
    break
  }
  throw new HoldfastError(
    'HF_SOURCE_CHANGED',
    `${reader.name} has another header line than when the job read its first ${from.record} rows`,
  )
}

function digestOf(columns: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 8)
}

function checkHeader(name: string, columns: readonly string[]): readonly string[] {
  const problem = columnsProblem(columns)
  if (problem === undefined) return columns
  throw new HoldfastError(
    'HF_SOURCE_FORMAT',
    `${name}: ${problem} in its header line. If it has none, name the columns: \`columns: […]\``,
  )
}

function checkColumns(columns: unknown): readonly string[] {
  const takes = 'a list of different, non-empty names'
  if (!Array.isArray(columns) || columns.some((name) => typeof name !== 'string'))
    refuseOption('`columns` of csv()', takes, columns)
  const problem = columns.length === 0 ? 'there is no name' : columnsProblem(columns)
  if (problem !== undefined)
    throw new HoldfastError('HF_CONFIG', `\`columns\` of csv() must be ${takes}, but ${problem}`)
  return [...columns]
}

function columnsProblem(columns: readonly string[]): string | undefined {
  const seen = new Set<string>()
  for (const [index, name] of columns.entries()) {
    if (name.trim() === '') return `column ${index + 1} has no name`
    if (name === '__proto__') return `column ${index + 1} is named __proto__, which no object can hold`
    if (seen.has(name)) return `two columns are named ${show(name)}`
    seen.add(name)
  }
  return undefined
}

function parseFormat({ delimiter = ',', quote = '"', maxRecordBytes = 8 * 1024 * 1024 }: CsvOptions): CsvFormat {
  if (quote !== false && (typeof quote !== 'string' || quote.length !== 1 || /[\r\n]/.test(quote))) {
    refuseOption('`quote` of csv()', 'one character or false', quote)
  }
  const isSeparator = typeof delimiter === 'string' && delimiter !== '' && !/[\r\n\uFEFF]/.test(delimiter)
  if (!isSeparator || (quote !== false && delimiter.includes(quote))) {
    refuseOption('`delimiter` of csv()', 'text without the quote and without line breaks', delimiter)
  }
  checkInteger(maxRecordBytes, 1, 1024 ** 3, '`maxRecordBytes` of csv()')
  return { delimiter, quote, maxRecordBytes }
}

function parsePosition(name: string, cursor: unknown): Position | undefined {
  if (cursor === undefined) return undefined
  const { byte, line, record, header } = cursorObject(name, cursor, ['byte', 'line', 'record', 'header?'])
  if (header !== undefined && typeof header !== 'string') throw mismatch(name, cursor, 'header is not a digest')
  const position = {
    byte: cursorCount(name, cursor, byte, 'byte'),
    line: cursorCount(name, cursor, line, 'line'),
    record: cursorCount(name, cursor, record, 'record'),
  }
  return header === undefined ? position : { ...position, header }
}
