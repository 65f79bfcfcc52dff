import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sanitizeText } from '../../src/model/text.ts'

describe('sanitizeText', () => {
  test.each<[string, number, string]>([
    ['as it is', 100, 'as it is'],
    ['a\0b\0', 100, 'ab'],
    ['a\ud800b', 100, 'a\ufffdb'],
    ['😀😀', 8, '😀😀'],
    ['abcd', 4, 'abcd'],
    ['', 0, ''],
  ])('%j within %i bytes is %j', (text, maxBytes, clean) => {
    expect(sanitizeText(text, maxBytes)).toBe(clean)
  })

  test('says what it cut', () => {
    expect(sanitizeText('x'.repeat(10_000_000), 60)).toBe(`${'x'.repeat(23)}… [cut, 10000000 characters in all]`)
  })

  test('cuts between characters, not inside one', () => {
    expect(sanitizeText('😀'.repeat(100), 60)).toMatch(/^(😀)+… \[cut, 200 characters in all\]$/u)
    expect(sanitizeText('é'.repeat(10), 5)).toBe('éé')
  })

  test('is fit for PostgreSQL and inside the limit, whatever the text', () => {
    const unit = fc.constantFrom('\0', '\ud800', '\udc00', 'a', 'é', '東', '😀')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 200 }), fc.nat({ max: 300 }), (text, maxBytes) => {
        const clean = sanitizeText(text, maxBytes)
        expect(Buffer.byteLength(clean)).toBeLessThanOrEqual(maxBytes)
        expect(clean).not.toContain('\0')
        expect(clean.isWellFormed()).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
