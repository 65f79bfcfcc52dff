import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkParity } from '../scripts/check-parity.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined)

describe('checkParity finds', () => {
  const check = (row: string) =>
    checkParity(`| promise | test |\n|---|---|\n${row}`, (path) => (path === 'a.test.ts' ? file : undefined))
  const file = `
    test('it\\'s one', () => {})
    test.each([['a row', 1]])("two of %s", () => {})
    const text = 'no title'`

  test.each([
    ['a test', '| p | `a.test.ts` "it\'s one" |'],
    ['a test in other quotes', '| p | `a.test.ts` "two of %s" |'],
    ['a row of a table of tests', '| p | `a.test.ts` "a row" |'],
    ['several tests', '| p | `a.test.ts` "a row"<br>`a.test.ts` "two of %s" |'],
  ])('nothing wrong with %s', (_what, row) => {
    expect(check(row)).toEqual([])
  })

  test.each([
    ['an empty cell', '| | `a.test.ts` "a row" |', 'cell 1 is empty'],
    ['an empty test', '| p | |', 'cell 2 is empty'],
    ['a test that is not there', '| p | `a.test.ts` "three" |', 'no test "three" in a.test.ts'],
    ['a text that is no title', '| p | `a.test.ts` "no title" |', 'no test "no title" in a.test.ts'],
    ['a file that is not there', '| p | `b.test.ts` "a row" |', 'no test "a row" in b.test.ts'],
    ['a promise instead of a test', '| p | later |', 'names no test'],
    ['a missing cell', '| p |', 'has 1 cells, its table 2'],
  ])('%s', (_what, row, problem) => {
    expect(check(row)).toEqual([{ line: 3, problem: expect.stringContaining(problem) }])
  })
})

test('every promise of job-iteration has its test', () => {
  const page = read('docs/parity-job-iteration.md')
  expect(checkParity(page as string, read)).toEqual([])
})
