/**
 * Checks the tables of a page that maps promises to tests: no cell is empty, and every test that a last cell names exists.
 * A test is named by its file and its title, or by the first cell of its row in a table of tests.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const PAGE = 'docs/parity-job-iteration.md'

export interface ParityFinding {
  readonly line: number
  readonly problem: string
}

/** @param read the text of a test file, or `undefined` where there is none. */
export function checkParity(page: string, read: (path: string) => string | undefined): ParityFinding[] {
  const findings: ParityFinding[] = []
  let columns = 0
  for (const [index, text] of page.split('\n').entries()) {
    const add = (problem: string) => findings.push({ line: index + 1, problem })
    const cells = cellsOf(text)
    if (cells === undefined) columns = 0
    else if (columns === 0) columns = cells.length
    else if (cells.length !== columns) add(`has ${cells.length} cells, its table ${columns}`)
    else if (!cells.every((cell) => /^-+$/.test(cell))) checkRow(cells, read, add)
  }
  return findings
}

function cellsOf(line: string): string[] | undefined {
  if (!line.startsWith('|')) return undefined
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}

function checkRow(
  cells: readonly string[],
  read: (path: string) => string | undefined,
  add: (problem: string) => void,
) {
  const empty = cells.indexOf('')
  if (empty !== -1) return add(`cell ${empty + 1} is empty`)
  for (const named of (cells.at(-1) as string).split('<br>')) {
    const { path, title } = /^`(?<path>[^`]+)` "(?<title>.+)"$/.exec(named)?.groups ?? {}
    if (path === undefined || title === undefined) add(`names no test as \`file\` "title": ${named}`)
    else if (!hasTest(read(path), title)) add(`no test "${title}" in ${path}`)
  }
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

if (import.meta.main) {
  const read = (path: string) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined)
  const findings = checkParity(readFileSync(join(root, PAGE), 'utf8'), read)
  for (const { line, problem } of findings) console.error(`${PAGE}:${line}: ${problem}`)
  if (findings.length > 0) process.exitCode = 1
}
