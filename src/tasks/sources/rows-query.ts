import { HoldfastError } from '../../model/errors.ts'
import { checkChoice, checkInteger, checkKeys } from '../../model/options.ts'
import { show } from '../../model/show.ts'
import { type KeysetStatements, keysetStatements } from '../../store/keyset.ts'
import { readSelect } from '../../store/select-text.ts'
import { refuseOption } from './check.ts'
import { cursorObject, mismatch } from './cursor.ts'

export interface RowsOptions<Row extends object> {
  /**
   * One or more columns of the result that order it: never NULL, and together unique. Usually the primary key, alone
   * or last.
   */
  readonly key: (keyof Row & string) | readonly (keyof Row & string)[]
  /** Values for the `$1`, `$2`, … of the query. Must be the same on every run: take them from the job's input. */
  readonly params?: readonly unknown[]
  /** Of all key columns. Default `'asc'`. */
  readonly direction?: 'asc' | 'desc'
  /** Rows fetched at a time. Default 1,000. */
  readonly pageSize?: number
  /** Count the rows first, for progress and ETA. It costs a run of the whole query. Default false. */
  readonly count?: boolean
}

/** What `rows()` was asked for, checked. */
export interface Query {
  readonly name: string
  readonly statements: KeysetStatements
  readonly key: readonly string[]
  readonly params: readonly unknown[]
  readonly direction: 'asc' | 'desc'
  readonly pageSize: number
}

export function parseQuery(sql: string, options: RowsOptions<Record<string, unknown>>): Query {
  if (typeof sql !== 'string') refuseOption('The query of rows()', 'SQL', sql)
  checkKeys(options, ['key', 'params', 'direction', 'pageSize', 'count'], 'rows()')
  const { params = [], direction = 'asc', pageSize = 1_000 } = options
  if (!Array.isArray(params)) refuseOption('`params` of rows()', 'an array', params)
  checkChoice(direction, ['asc', 'desc'], '`direction` of rows()')
  checkInteger(pageSize, 1, 100_000, '`pageSize` of rows()')
  const key = checkKey(options.key)
  const { text, params: used } = readSelect(sql, 'The query of rows()')
  checkParams(used, params)
  const statements = keysetStatements({ text, params: params.length, key, direction, pageSize })
  return { name: nameOf(text), statements, key, params, direction, pageSize }
}

function checkKey(value: unknown): readonly string[] {
  const key: unknown[] = Array.isArray(value) ? value : [value]
  const isName = (name: unknown) => typeof name === 'string' && name !== '' && !name.includes('\0')
  if (key.length === 0 || key.length > 16 || !key.every(isName) || new Set(key).size < key.length) {
    refuseOption('`key` of rows()', 'the name of a column, or a list of 1 to 16 different ones', value)
  }
  return key as string[]
}

/** Our own parameters come after the query's, so a number too many in the query would silently mean one of ours. */
function checkParams(used: ReadonlySet<number>, params: readonly unknown[]): void {
  const most = Math.max(0, ...used)
  if (used.has(0) || most > params.length) {
    throw new HoldfastError(
      'HF_CONFIG',
      `The query of rows() uses $${used.has(0) ? 0 : most}, but \`params\` has ${params.length} values`,
    )
  }
  for (let number = 1; number <= params.length; number++) {
    if (!used.has(number))
      throw new HoldfastError(
        'HF_CONFIG',
        `\`params\` of rows() has ${params.length} values, but the query does not use $${number}`,
      )
  }
}

function nameOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return `rows ${line.length > 60 ? `${line.slice(0, 60)}…` : line}`
}

/**
 * `{ "after": { "created_at": "…", "id": "17" } }`, or `before` when descending: the key and direction are part of
 * the cursor.
 */
export function parseAfter({ name, key, direction }: Query, cursor: unknown): readonly string[] | undefined {
  if (cursor === undefined) return undefined
  const word = direction === 'asc' ? 'after' : 'before'
  const { [word]: values } = cursorObject(name, cursor, [word])
  const texts = Object(values) as Record<string, unknown>
  const fits = Object.keys(texts).length === key.length && key.every((column) => typeof texts[column] === 'string')
  if (!fits) throw mismatch(name, cursor, `it expects a value of ${key.map(show).join(' and ')}`)
  return key.map((column) => texts[column] as string)
}
