import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDistance } from '../../src/model/edit-distance.ts'

test.each([
  ['', '', 0],
  ['same', 'same', 0],
  ['', 'abc', 3],
  ['abc', '', 3],
  ['mail', 'mali', 1],
  ['ab', 'ba', 1],
  ['abcd', 'badc', 2],
  ['ca', 'abc', 3],
  ['abcd', 'acxd', 2],
  ['xaby', 'xbzy', 2],
  ['kitten', 'sitting', 3],
  ['realtime', 'bulk', 7],
])('%j to %j: %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance)
})

test('is the same both ways, nothing only for the same word, and within the lengths', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b)
      expect(editDistance(b, a)).toBe(distance)
      expect(distance === 0).toBe(a === b)
      expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
    }),
    { numRuns: 500 },
  )
})
