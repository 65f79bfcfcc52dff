/**
 * Checks the tables of a page that maps promises to tests: no cell is empty, and every test that a last cell names exists.
 * A test is named by its file and its title, or by the first cell of its row in a table of tests.
 */
import {
  brokenRow,
  missingTest,
  type PageFinding,
  partsOf,
  type Read,
  readHere,
  report,
  tableRows,
} from './named-tests.ts'

const PAGE = 'docs/parity-job-iteration.md'

/** @param read the text of a test file, or `undefined` where there is none. */
export function checkParity(page: string, read: Read): PageFinding[] {
  return tableRows(page).flatMap((row) => {
    const broken = brokenRow(row)
    const problems =
      broken === undefined ? partsOf(row.cells.at(-1) ?? '').map((named) => missingTest(named, read)) : [broken]
    return problems.flatMap((problem) => (problem === undefined ? [] : [{ line: row.line, problem }]))
  })
}

if (import.meta.main) report(PAGE, checkParity(readHere(PAGE) ?? '', readHere))
