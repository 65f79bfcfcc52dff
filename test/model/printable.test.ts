import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printable, printableJson } from '../../src/model/printable.ts'

const unit = fc.constantFrom(
  'a',
  '"',
  '\\',
  '\n',
  '\0',
  '\u001b',
  '\u007f',
  '\u009b',
  '\u202e',
  '\u2066',
  '\u2028',
  '\ud800',
  '東',
  '😀',
)
const hostile = fc.string({ unit, maxLength: 50 })

describe('printable', () => {
  test.each([
    ['as it is: 東 😀 é', 'as it is: 東 😀 é'],
    ['\u001b[31mred\u001b[0m', '\\u001b[31mred\\u001b[0m'],
    ['\u009b2J', '\\u009b2J'],
    ['two\nlines\tand\rmore', 'two\\nlines\\tand\\rmore'],
    ['invoice\u202efdp.exe', 'invoice\\u202efdp.exe'],
    ['half \ud800', 'half \ufffd'],
  ])('%j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test('leaves nothing that steers a terminal, whatever the text', () => {
    fc.assert(fc.property(hostile, (text) => !/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(printable(text))))
  })
})

describe('printableJson', () => {
  test('is the same value, on one line, with nothing that steers a terminal', () => {
    fc.assert(
      fc.property(fc.dictionary(hostile, hostile), (value) => {
        const text = printableJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
      }),
    )
  })

  test('shows no password of a connection string', () => {
    expect(printableJson({ url: 'postgres://u:s3cret@h/d', deep: ['password=s3cret"'] })).toBe(
      '{"url":"postgres://u:***@h/d","deep":["password=***\\""]}',
    )
  })
})
