/** What the pages that map claims to tests have in common: their tables, and whether a test that they name exists. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export interface PageFinding {
  readonly line: number
  readonly problem: string
}

/** The text of a file of this repository, or `undefined` where there is none. */
export type Read = (path: string) => string | undefined

export const readHere: Read = (path) =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined

/** A row of a table of the page, without the head. */
export interface TableRow {
  readonly line: number
  readonly cells: readonly string[]
  /** Of its table. */
  readonly columns: number
  /** The heading above its table. */
  readonly section: string
}

export function tableRows(page: string): TableRow[] {
  const rows: TableRow[] = []
  let columns = 0
  let section = ''
  for (const [index, text] of page.split('\n').entries()) {
    const cells = cellsOf(text)
    if (cells === undefined) {
      columns = 0
      section = /^#+ (.*)$/.exec(text)?.[1] ?? section
    } else if (columns === 0) columns = cells.length
    else if (!cells.every((cell) => /^-+$/.test(cell))) rows.push({ line: index + 1, cells, columns, section })
  }
  return rows
}

function cellsOf(line: string): string[] | undefined {
  if (!line.startsWith('|')) return undefined
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}

/** What is wrong with a row as such; undefined: nothing. */
export function brokenRow({ cells, columns }: TableRow): string | undefined {
  if (cells.length !== columns) return `has ${cells.length} cells, its table ${columns}`
  const empty = cells.indexOf('')
  return empty === -1 ? undefined : `cell ${empty + 1} is empty`
}

/** The parts of a cell that names tests: one a line, with `<br>` between. */
export function partsOf(cell: string): string[] {
  return cell.split('<br>').map((part) => part.trim())
}

/** What is wrong with `` `file` "title" ``; undefined: the test is there. */
export function missingTest(named: string, read: Read): string | undefined {
  const { path, title } = /^`(?<path>[^`]+)` "(?<title>.+)"$/.exec(named)?.groups ?? {}
  if (path === undefined || title === undefined) return `names no test as \`file\` "title": ${named}`
  return hasTest(read(path), title) ? undefined : `no test "${title}" in ${path}`
}

/** The title stands as text right behind the parenthesis of a call, or the bracket of a row. */
function hasTest(file: string | undefined, title: string): boolean {
  if (file === undefined) return false
  return ["'", '"', '`'].some((quote) => {
    const literal = `${quote}${quote === '"' ? title : title.replaceAll(quote, `\\${quote}`)}${quote}`
    for (let at = file.indexOf(literal); at !== -1; at = file.indexOf(literal, at + 1)) {
      if (/[([]\s*$/.test(file.slice(Math.max(0, at - 40), at))) return true
    }
    return false
  })
}

/** Prints what was found, as compilers do, and makes the process fail. */
export function report(page: string, findings: readonly PageFinding[]): void {
  for (const { line, problem } of findings) console.error(`${page}:${line}: ${problem}`)
  if (findings.length > 0) process.exitCode = 1
}
