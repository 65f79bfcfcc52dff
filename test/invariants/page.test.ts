import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { brokenRow, missingTest, partsOf, type Read, readHere, tableRows } from '../../scripts/named-tests.ts'

const root = path.join(import.meta.dirname, '../..')
const page = readHere('docs/invariants.md') ?? ''

/** One sentence for each thing that a row names and that is not there. */
function problems(text: string, read: Read, exists: (file: string) => boolean): string[] {
  return tableRows(text).flatMap((row) => {
    const broken = brokenRow(row)
    if (broken !== undefined) return [`line ${row.line} ${broken}`]
    const [, guards = '', tests = ''] = row.cells
    const gone = partsOf(guards).filter((guard) => !exists(/^`(.+)`$/.exec(guard)?.[1] ?? ''))
    const missing = partsOf(tests).map((named) => missingTest(named, read))
    return [...gone.map((guard) => `no guard ${guard}`), ...missing.filter((problem) => problem !== undefined)]
  })
}

test('the thirteen invariants are there, each with what holds it and what carries it', () => {
  const numbers = [...page.matchAll(/^## (\d+)\. /gm)].map(([, number]) => Number(number))
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
  const sections = new Set(tableRows(page).map(({ section }) => section.split('.')[0]))
  expect([...sections]).toEqual(numbers.map(String))
})

test('every guard and every test that the page names exists', () => {
  expect(problems(page, readHere, (file) => existsSync(path.join(root, file)))).toEqual([])
})

describe('found are', () => {
  const check = (row: string) =>
    problems(
      `## 1. One\n| what | guard | carried by |\n|---|---|---|\n${row}`,
      (file) => (file === 'a.test.ts' ? `test('one', () => {})` : undefined),
      (file) => file === 'a.sql',
    )

  test.each([
    ['nothing', '| w | `a.sql` | `a.test.ts` "one" |', []],
    ['a guard that is gone', '| w | `a.sql`<br>`b.sql` | `a.test.ts` "one" |', ['no guard `b.sql`']],
    ['a guard that is no file', '| w | somewhere | `a.test.ts` "one" |', ['no guard somewhere']],
    ['a test that is gone', '| w | `a.sql` | `a.test.ts` "two" |', ['no test "two" in a.test.ts']],
    ['a file that is gone', '| w | `a.sql` | `b.test.ts` "one" |', ['no test "one" in b.test.ts']],
    ['an empty cell', '| w | | `a.test.ts` "one" |', ['line 4 cell 2 is empty']],
  ])('%s', (_what, row, found) => {
    expect(check(row)).toEqual(found)
  })
})
