import { HoldfastError } from '../../model/errors.ts'
import { suggestion } from '../../model/name.ts'
import { show } from '../../model/show.ts'
import type { SourceContext } from '../source.ts'
import type { Query } from './rows-query.ts'

/** The SQLSTATE of a failed query, however it was wrapped. */
export function stateOf(error: unknown): string | undefined {
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown }
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code
  return cause === undefined || cause === error ? undefined : stateOf(cause)
}

export function nullKey(name: string, column: string): HoldfastError {
  const why = 'NULL compares with nothing, so the rows after it could not be found'
  return new HoldfastError(
    'HF_SOURCE_KEY',
    `${name}: key column ${show(column)} is NULL in some rows. ${why}: filter them out, or choose another key`,
  )
}

export function repeatedKey({ name, key }: Query, texts: readonly string[]): HoldfastError {
  const value = key.map((column, part) => `${column} = ${show(texts[part])}`).join(', ')
  const why = 'a page that ends between them would lose the second. Add a unique column to the key'
  return new HoldfastError(
    'HF_SOURCE_KEY',
    `${name}: two rows have the same key (${value}); ${why}, for example the primary key`,
  )
}

const UNDEFINED_COLUMN = '42703'
const AMBIGUOUS_COLUMN = '42702'
const UNDEFINED_FUNCTION = '42883'
const BAD_TEXT = ['22P02', '22007', '22008', '22003']

/** What a failed page means, where it is about the key or the cursor; else the error itself. */
export async function explainFailure(
  query: Query,
  error: unknown,
  after: readonly string[] | undefined,
  context: SourceContext,
): Promise<unknown> {
  const { name, key } = query
  const state = stateOf(error) ?? ''
  const { message } = error as Error
  const wrong = (why: string) => new HoldfastError('HF_SOURCE_KEY', `${name}: ${why}`, { cause: error })
  if (state === UNDEFINED_FUNCTION && message.includes('ordering operator'))
    return wrong(`the key has no order: ${message}`)
  if (state === AMBIGUOUS_COLUMN) {
    const several = key.find((column) => message.includes(`"${column}"`))
    return several === undefined
      ? error
      : wrong(`the result has several columns named ${show(several)}; give them different names`)
  }
  if (state === UNDEFINED_COLUMN) {
    const missing = key.find(
      (column) => message.includes(`holdfast_rows.${column} `) || message.includes(`holdfast_rows."${column}" `),
    )
    return missing === undefined ? error : wrong(describeMissing(missing, await columnsOf(query, context)))
  }
  if (BAD_TEXT.includes(state) && after?.some((text) => message.includes(`"${text}"`))) {
    const at = key.map((column, part) => `${column} = ${show(after[part])}`).join(', ')
    return new HoldfastError('HF_CURSOR_MISMATCH', `The source «${name}» cannot go on after ${at}: ${message}`, {
      cause: error,
    })
  }
  return error
}

async function columnsOf({ statements, params }: Query, context: SourceContext): Promise<readonly string[]> {
  const answer = await context.query(statements.sample, params).catch(() => undefined)
  return Object.keys(answer?.rows[0] ?? {})
}

function describeMissing(missing: string, columns: readonly string[]): string {
  const hint = suggestion(missing, columns) || (columns.length > 0 ? ` It has ${columns.slice(0, 20).join(', ')}.` : '')
  return `the result has no column ${show(missing)}; the key must be among the selected columns.${hint}`
}
