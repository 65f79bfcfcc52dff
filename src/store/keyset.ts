/**
 * Reading any query page by page, in the order of a key (keyset pagination). A page begins after the last key of the
 * one before, so with an index on the key every page costs the same, the millionth too. Pure text: nothing here needs
 * a connection.
 */
export interface Keyset {
  /** A whole select, without a final semicolon. */
  readonly text: string
  /** Its parameters: the key's come after them. */
  readonly params: number
  readonly key: readonly string[]
  readonly direction: 'asc' | 'desc'
  /** Rows a page; one more is fetched, to see whether there is another page and whether its key is a new one. */
  readonly pageSize: number
}

export interface KeysetStatements {
  readonly first: string
  /** Takes the key's texts after the query's own parameters. */
  readonly next: string
  /** One row, one boolean per key column, in order (`n1`, `n2`): is it NULL anywhere? */
  readonly nulls: string
  /** One row as it is, to see its columns. */
  readonly sample: string
  readonly count: string
  /** The names under which a page carries the key's texts, after the row's own columns. */
  readonly keyTexts: readonly string[]
}

export function keysetStatements({ text, params, key, direction, pageSize }: Keyset): KeysetStatements {
  // The line break ends a comment that the query may end in.
  const from = `from (${text}\n) as holdfast_rows`
  const columns = key.map((name) => `holdfast_rows.${quoteName(name)}`)
  const keyTexts = key.map((_, index) => `holdfast_key_${index + 1}`)
  const texts = columns.map((column, index) => `${exactText(column)} as ${keyTexts[index]}`)
  const page = (where: string) =>
    `select holdfast_rows.*, ${texts.join(', ')} ${from} ${where}` +
    `order by ${columns.map((column) => `${column} ${direction}`).join(', ')} limit ${pageSize + 1}`
  // No casts: as unknown literals the parameters take the types of the columns, so the comparison is exact and an
  // index serves it.
  const values = key.map((_, index) => `$${params + index + 1}`)
  const after = `where (${columns.join(', ')}) ${direction === 'asc' ? '>' : '<'} (${values.join(', ')}) `
  // One look per column, because each may have an index that answers it; a single `or` has none.
  const nulls = columns.map((column, index) => `exists (select ${from} where ${column} is null) as n${index + 1}`)
  return {
    first: page(''),
    next: page(after),
    nulls: `select ${nulls.join(', ')}`,
    sample: `select holdfast_rows.* ${from} limit 1`,
    count: `select count(*) as count ${from}`,
    keyTexts,
  }
}

/**
 * A value as a text that gives exactly the same value back. The driver's own values would not: its dates stop at
 * milliseconds, and an application may have told it to read bigints as numbers. Dates go through JSON, because their
 * plain text follows the session's DateStyle, which another session may read differently.
 */
function exactText(column: string): string {
  const isDate = `pg_typeof(${column}) in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)`
  return `case when ${isDate} then to_json(${column}) #>> '{}' else ${column}::text end`
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
