import type { Source, SourceContext, SourceItem } from '../source.ts'
import { orAborted } from './abort.ts'
import { explainFailure, nullKey, repeatedKey, stateOf } from './rows-failures.ts'
import { parseAfter, parseQuery, type Query, type RowsOptions } from './rows-query.ts'

/**
 * The rows of any select on the job's database, page by page in the order of a key (keyset pagination: no OFFSET, no
 * open cursor, no transaction held). The cursor is the key of the last row done, as exact text: bigint, numeric, uuid
 * and microseconds keep every digit.
 *
 * Each page is a query of its own and sees what is committed then. Rows that come in after the position are seen,
 * before it are not; a row whose key is changed meanwhile may be seen twice or not at all, so choose a key that does
 * not change. An index on the key makes every page cheap; the select itself should have no ORDER BY. A key with
 * NULLs, or one that two rows share, would lose rows at the border of a page: both raise HF_SOURCE_KEY before any of
 * the rows concerned is given out.
 *
 * Where the query reads is up to the caller, so the SQL is trusted: never build it from input, use `params`.
 */
export function rows(sql: string, options: RowsOptions<Row>): Source<Row>
/** With the type of a row, which is taken on trust: it is not checked, only the names in `key` are held against it. */
export function rows<Typed extends object>(sql: string, options: RowsOptions<Typed>): Source<Typed>
export function rows(sql: string, options: RowsOptions<Row>): Source<Row> {
  const query = parseQuery(sql, options)
  return {
    name: query.name,
    open: (cursor, context) => read(query, parseAfter(query, cursor), context),
    ...(options.count === true && { count: (context) => countRows(query, context) }),
  }
}

type Row = Record<string, unknown>

async function* read(
  query: Query,
  from: readonly string[] | undefined,
  context: SourceContext,
): AsyncGenerator<SourceItem<Row>, void> {
  const { pageSize } = query
  if (from === undefined) await refuseNullKeys(query, context)
  let after = from
  for (;;) {
    context.signal.throwIfAborted()
    const page = await fetchPage(query, after, context)
    const columns = ownColumns(query, page)
    let key = keyOf(query, page[0])
    for (let index = 0; index < page.length && index < pageSize; index++) {
      const next = keyOf(query, page[index + 1])
      if (key.every((text, part) => text === next[part])) throw repeatedKey(query, key)
      context.signal.throwIfAborted()
      yield { item: pick(columns, page[index] as Row), cursor: cursorAt(query, key) }
      after = key
      key = next
    }
    if (page.length <= pageSize) return
  }
}

async function fetchPage(query: Query, after: readonly string[] | undefined, context: SourceContext): Promise<Row[]> {
  const { statements, params } = query
  const answer =
    after === undefined
      ? context.query(statements.first, params)
      : context.query(statements.next, [...params, ...after])
  try {
    return (await orAborted(answer, context.signal)).rows
  } catch (error) {
    context.signal.throwIfAborted()
    throw await explainFailure(query, error, after, context)
  }
}

/** The texts of a row's key; none for the row after the last. */
function keyOf({ name, statements, key }: Query, row: Row | undefined): string[] {
  if (row === undefined) return []
  return statements.keyTexts.map((column, part) => {
    const text = row[column]
    if (typeof text !== 'string') throw nullKey(name, key[part] as string)
    return text
  })
}

function cursorAt({ key, direction }: Query, texts: readonly string[]): unknown {
  const values: Record<string, string> = {}
  for (let part = 0; part < key.length; part++) values[key[part] as string] = texts[part] as string
  return direction === 'asc' ? { after: values } : { before: values }
}

function ownColumns({ statements }: Query, page: readonly Row[]): readonly string[] {
  return Object.keys(page[0] ?? {}).filter((column) => !statements.keyTexts.includes(column))
}

/** A copy, because deleting our columns from the driver's object would turn it into a slow one for whoever reads it. */
function pick(columns: readonly string[], row: Row): Row {
  const picked: Row = {}
  for (const column of columns) picked[column] = row[column]
  return picked
}

/**
 * NULLs compare with nothing, so rows with a NULL key would be left out without a word. Looked for once, when the job
 * begins. With an index, or NOT NULL on PostgreSQL 17, this is instant; where it is not, the time limit of the query
 * ends it, and the job goes on.
 */
async function refuseNullKeys(query: Query, context: SourceContext): Promise<void> {
  try {
    const { rows: found } = await orAborted(context.query(query.statements.nulls, query.params), context.signal)
    const part = query.key.findIndex((_, index) => found[0]?.[`n${index + 1}`] === true)
    if (part !== -1) throw nullKey(query.name, query.key[part] as string)
  } catch (error) {
    context.signal.throwIfAborted()
    if (stateOf(error) !== '57014') throw await explainFailure(query, error, undefined, context)
    context.warn(
      `${query.name}: could not find out in time whether ${query.key.join(', ')} holds NULLs; such rows are left out`,
    )
  }
}

async function countRows(query: Query, context: SourceContext): Promise<number | undefined> {
  const { rows: found } = await orAborted(context.query(query.statements.count, query.params), context.signal)
  return Number(found[0]?.['count'])
}
