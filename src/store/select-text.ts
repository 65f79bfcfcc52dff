import { HoldfastError } from '../model/errors.ts'

/** What of a user's statement matters for wrapping it into another one. */
export interface SelectText {
  /** Without a final semicolon. May end in a line comment, so put a line break after it. */
  readonly text: string
  /** The numbers of its parameters: 1 for `$1`. */
  readonly params: ReadonlySet<number>
}

/**
 * The parts of SQL in which `;` and `$1` mean something else than in between, and `$1` itself. Names come before
 * strings, so that the last letter of a name is never taken for the `E` of an escape string.
 */
const TOKEN = new RegExp(
  [
    /--[^\n]*/, // a comment to the end of the line
    /(?<block>\/\*)/,
    /[eE]'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'(?!')/,
    /(?<openEscape>[eE]')/,
    /'[^']*(?:''[^']*)*'(?!')/,
    /"[^"]*(?:""[^"]*)*"(?!")/,
    /(?<open>['"])/, // of a string that the patterns above did not find closed
    /\$(?<param>\d+)/,
    /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/, // opens a dollar-quoted string
    /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/, // a name
    /(?<semicolon>;)/,
    /\s+/,
    /[\s\S]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
)

/**
 * Reads over a statement without understanding it.
 * @throws {HoldfastError} HF_CONFIG for none or several statements, or an open quote or comment.
 */
export function readSelect(sql: string, what: string): SelectText {
  const refuse = (why: string) => new HoldfastError('HF_CONFIG', `${what} ${why}`)
  const params = new Set<number>()
  let last: number | undefined
  let empty = true
  for (let at = 0; at < sql.length; ) {
    TOKEN.lastIndex = at
    const { 0: token, groups = {} } = TOKEN.exec(sql) as RegExpExecArray
    const start = at
    at += token.length
    if (groups['block'] !== undefined) at = endOfComment(sql, at)
    else if (token.endsWith('$') && token.startsWith('$')) at = endOfDollarQuote(sql, at, token)
    if (at === -1 || (groups['open'] ?? groups['openEscape']) !== undefined)
      throw refuse(`has a quote or comment that is never closed, at character ${start + 1}`)
    if (groups['block'] !== undefined || token.startsWith('--') || token.trim() === '') continue
    if (groups['semicolon'] !== undefined) {
      last ??= start
      continue
    }
    if (last !== undefined) throw refuse('holds several statements; it takes one select')
    empty = false
    if (groups['param'] !== undefined) params.add(Number(groups['param']))
  }
  if (empty) throw refuse('is empty; it takes a select')
  return { text: last === undefined ? sql : sql.slice(0, last), params }
}

/** Comments nest. */
function endOfComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = from
  for (let depth = 1; depth > 0; ) {
    const found = mark.exec(sql)
    if (found === null) return -1
    depth += found[0] === '/*' ? 1 : -1
  }
  return mark.lastIndex
}

function endOfDollarQuote(sql: string, from: number, tag: string): number {
  const end = sql.indexOf(tag, from)
  return end === -1 ? -1 : end + tag.length
}
