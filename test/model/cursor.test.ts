import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCursor } from '../../src/model/cursor.ts'
import { isHoldfastError } from '../../src/model/errors.ts'
import { decodeJson } from '../../src/model/json.ts'

describe('encodeCursor', () => {
  test.each<[unknown, string]>([
    [0, '0'],
    [1_234_567_890, '1234567890'],
    ['page-token', '"page-token"'],
    [null, 'null'],
    [['2026-11-21', 17], '["2026-11-21",17]'],
    [{ file: 3, offset: 1024 }, '{"file":3,"offset":1024}'],
  ])('%j', (cursor, text) => {
    expect(encodeCursor(cursor, 'range')).toBe(text)
  })

  test.each<[string, unknown, string]>([
    ['undefined, which means from the start', undefined, 'cursor of rows orders is undefined: pass null [HF_CURSOR]'],
    ['a bigint key', { id: 5n }, 'cursor of rows orders.id is a bigint: pass it as a string [HF_CURSOR]'],
    ['an id beyond 2^53', [2 ** 53], 'cursor of rows orders[0] is beyond 2^53'],
    ['a Date', { at: new Date(0) }, 'cursor of rows orders.at is a Date'],
    [
      'what would come back as text',
      { next: new URL('https://a.example') },
      'cursor of rows orders.next is a URL with a toJSON',
    ],
    ['NUL', 'a\0', 'cursor of rows orders contains a NUL character'],
    [
      'the data itself',
      'x'.repeat(65_535),
      'cursor of rows orders is more than 65536 bytes of JSON; the most a cursor may have is 65536',
    ],
  ])('refuses %s', (_, cursor, message) => {
    expect(() => encodeCursor(cursor, 'rows orders')).toThrow(message)
    expect(() => encodeCursor(cursor, 'rows orders')).toThrow('[HF_CURSOR]')
  })

  test('comes back equal, or is refused with a typed error, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.anything({ withDate: true, withBigInt: true, withMap: true })),
        (cursor) => {
          try {
            // JSON has no -0, which equals 0 in every comparison that a source could make.
            expect(decodeJson(encodeCursor(cursor, 'x'))).toEqual(positiveZeros(cursor))
          } catch (error) {
            if (!isHoldfastError(error, 'HF_CURSOR')) throw error
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

function positiveZeros(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(positiveZeros)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, positiveZeros(inner)]))
}
