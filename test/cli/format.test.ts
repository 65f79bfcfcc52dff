import { afterEach, describe, expect, test } from 'vitest'
import { ago, etaMs, moment, plural, progressLine, table } from '../../src/cli/format.ts'
import { short } from '../../src/cli/output.ts'

function terminal(columns: number): void {
  Object.assign(process.stdout, { isTTY: true, columns })
}
const { isTTY, columns } = process.stdout
afterEach(() => {
  Object.assign(process.stdout, { isTTY, columns })
})

describe('table', () => {
  const rows = [
    ['1', 'ready', 'short'],
    ['22', '東京', 'a long last column that goes on and on'],
  ]

  test('cuts nothing for a pipe', () => {
    expect(table(['n', 'state', 'details'], rows)).toBe(
      ['N   STATE  DETAILS', '1   ready  short', '22  東京   a long last column that goes on and on'].join('\n'),
    )
  })

  test('cuts the last column to the terminal', () => {
    terminal(30)
    const lines = table(['n', 'state', 'details'], rows).split('\n')
    expect(lines[2]).toMatch(/^22 {2}東京 {3}a long last column…?/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(30)
  })
})

describe('progress', () => {
  test.each([
    [{ items: 5, total: undefined, rate: undefined }, '5 items'],
    [{ items: 1, total: undefined, rate: 2.25 }, '1 item, 2.3/s'],
    [{ items: 0, total: 0, rate: undefined }, '0 of 0'],
    [
      { items: 600_000, total: 1_000_000, rate: 12_300 },
      '██████████████░░░░░░░░░░ 60 %  600,000 of 1,000,000, 12,300/s, 33s left',
    ],
    [{ items: 12, total: 10, rate: 1 }, '████████████████████████ 100 %  12 of 10, 1/s'],
  ])('%j', (progress, line) => {
    expect(progressLine(progress)).toBe(line)
  })

  test('an arrival is known only while something is done', () => {
    expect(etaMs({ items: 1, total: 3, rate: 2 })).toBe(1_000)
    for (const known of [
      { items: 3, total: 3, rate: 2 },
      { items: 1, total: undefined, rate: 2 },
      { items: 1, total: 3, rate: 0 },
    ]) {
      expect(etaMs(known)).toBeUndefined()
    }
  })
})

test('small words', () => {
  const now = new Date('2026-11-21T02:30:01.234Z')
  expect(moment(now)).toBe('2026-11-21 02:30:01Z')
  expect(ago(new Date('2026-11-21T02:29:00Z'), now)).toBe('1m 1s ago')
  expect(ago(new Date('2026-11-21T02:31:00Z'), now)).toBe('0ms ago')
  expect([plural(1, 'job'), plural(1_234, 'job')]).toEqual(['1 job', '1,234 jobs'])
  expect([short(undefined, 3), short('abc', 3), short('abcd', 3), short('a\u001b', 9)]).toEqual([
    '',
    'abc',
    'ab…',
    'a\\u001b',
  ])
})
