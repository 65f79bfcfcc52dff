import type { CsvError } from 'csv-parse'

export interface CsvFormat {
  readonly delimiter: string
  /** `false`: quotes are ordinary characters. */
  readonly quote: string | false
  readonly maxRecordBytes: number
}

export interface CsvRecord {
  readonly fields: readonly string[]
  /** The offset of the byte after the record and its line break. */
  readonly end: number
  /** The line, counted from 1, on which the record begins; and the one on which it ends. */
  readonly firstLine: number
  readonly lastLine: number
}

/** Where the text begins in its file. */
export interface CsvStart {
  readonly byte: number
  /** Lines before it. */
  readonly line: number
}

const LF = 10
const CR = 13

/** A syntax error after the last record given out. */
export class CsvSyntax extends Error {}

/**
 * The records of a CSV text, one array per chunk of it. Empty lines are no records. All records before a syntax error
 * are given out first.
 *
 * The parser is loaded here, so that importing sources stays light. Its records are taken at `push`, before they
 * enter the stream: that is as fast as the parser itself, and the only moment at which the parser's position belongs
 * to the record.
 */
export async function* csvRecords(
  text: AsyncIterable<Buffer>,
  start: CsvStart,
  format: CsvFormat,
): AsyncGenerator<readonly CsvRecord[], void> {
  const { Parser } = await import('csv-parse')
  const parser = new Parser({
    bom: start.byte === 0,
    delimiter: format.delimiter,
    quote: format.quote,
    escape: format.quote === false ? null : format.quote,
    // All three at once instead of what the first line has: then every record can be parsed without what came before.
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: format.maxRecordBytes,
  })
  const { info } = parser
  let records: CsvRecord[] = []
  let lines = 0
  let countedTwice = 0
  const end = parser.push.bind(parser)
  parser.push = (fields: readonly string[] | null) => {
    if (fields === null) return end(null)
    let inside = 0
    if (info.lines !== lines + 1) {
      const breaks = lineBreaks(fields)
      inside = breaks.lines
      countedTwice += breaks.crlf // the parser takes \r\n inside quotes for two lines
    }
    lines = info.lines
    const lastLine = start.line + lines - countedTwice
    records.push({ fields, end: start.byte + info.bytes, firstLine: lastLine - inside, lastLine })
    return true
  }
  const take = () => {
    const taken = records
    records = []
    return taken
  }
  parser.on('error', () => {}) // also given to the callbacks below
  const write = (chunk: Buffer) => new Promise<unknown>((resolve) => parser.write(chunk, resolve))
  const finish = () => new Promise<unknown>((resolve) => parser.end(resolve))
  let given = start.byte
  let lastByte: number | undefined
  try {
    for await (const chunk of text) {
      given += chunk.length
      lastByte = chunk.at(-1) ?? lastByte
      const failure = await write(chunk)
      yield take()
      if (failure) throw syntaxError(failure, format)
    }
    const failure = await finish()
    yield take()
    if (failure) throw syntaxError(failure, format)
  } catch (error) {
    // The parser holds back a few bytes to look ahead. Whole records among them come before the error; a half one
    // does not.
    if (!(error instanceof CsvSyntax)) {
      await finish()
      yield take().filter(({ end }) => end < given || lastByte === LF || lastByte === CR)
    }
    throw error
  } finally {
    parser.destroy()
  }
}

function lineBreaks(fields: readonly string[]): { lines: number; crlf: number } {
  let lines = 0
  let crlf = 0
  for (const field of fields) {
    if (!/[\r\n]/.test(field)) continue
    for (const found of field.matchAll(/\r\n|\n|\r/g)) {
      lines++
      if (found[0].length === 2) crlf++
    }
  }
  return { lines, crlf }
}

/** In our own words: the parser's name lines of the part that it was given. */
function syntaxError(failure: unknown, { maxRecordBytes }: CsvFormat): CsvSyntax {
  const { code, message } = failure as CsvError
  switch (code) {
    case 'CSV_INVALID_CLOSING_QUOTE':
      return new CsvSyntax('has text after a closing quote; a quote inside a quoted field is written twice', {
        cause: failure,
      })
    case 'INVALID_OPENING_QUOTE':
      return new CsvSyntax(
        'has a quote inside a field that does not begin with one; if quotes are ordinary characters in this file, set `quote: false`',
        { cause: failure },
      )
    case 'CSV_QUOTE_NOT_CLOSED':
      return new CsvSyntax('has a quote that is never closed', { cause: failure })
    case 'CSV_MAX_RECORD_SIZE':
      return new CsvSyntax(
        `is longer than ${maxRecordBytes} bytes: a quote may be unclosed; else raise \`maxRecordBytes\``,
        { cause: failure },
      )
    default:
      return new CsvSyntax(message, { cause: failure })
  }
}
