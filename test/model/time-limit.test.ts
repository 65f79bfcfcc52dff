import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanUpTime, limitOf, lowerLimit, resolveTimeLimit, statedLimit } from '../../src/model/time-limit.ts'

const limits = fc
  .tuple(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 0, max: 1e9 }))
  .map(([soft, more]) => ({ soft, hard: soft + more }))

describe('a time limit', () => {
  test.each([
    ['100ms', 100, 1_100],
    ['5s', 5_000, 6_000],
    ['20s', 20_000, 22_000],
    ['3m', 180_000, 198_000],
    ['10h', 36_000_000, 36_030_000],
  ] as const)('of one duration leaves a tenth more to clean up, from 1 s to 30 s: %s', (text, soft, hard) => {
    expect(resolveTimeLimit(text, 'timeLimit')).toEqual({ soft, hard })
    expect(statedLimit({ soft, hard })).toBe(soft)
  })

  test('of two is what it says', () => {
    expect(resolveTimeLimit({ soft: '20s', hard: '20s' }, 'timeLimit')).toEqual({ soft: 20_000, hard: 20_000 })
    expect(statedLimit({ soft: 20_000, hard: 25_000 })).toBe(25_000)
    expect(resolveTimeLimit(undefined, 'timeLimit')).toBeUndefined()
    expect(() => resolveTimeLimit({ soft: '2m', hard: '1m' }, 'timeLimit')).toThrow('longer than hard')
  })

  test('leaves whole milliseconds to clean up, and never none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e10 }), (ms) => {
        expect(Number.isInteger(cleanUpTime(ms))).toBe(true)
        expect(cleanUpTime(ms)).toBeGreaterThanOrEqual(1_000)
        expect(cleanUpTime(ms)).toBeLessThanOrEqual(30_000)
      }),
    )
  })
})

describe('the lower of two limits', () => {
  test('is the other one where one is missing', () => {
    expect(lowerLimit(undefined, undefined)).toBeUndefined()
    expect(lowerLimit(limitOf(5), undefined)).toEqual(limitOf(5))
    expect(lowerLimit(undefined, limitOf(5))).toEqual(limitOf(5))
  })

  test('exceeds neither in any part, and stays a limit', () => {
    fc.assert(
      fc.property(limits, limits, (one, other) => {
        const lower = lowerLimit(one, other) as { soft: number; hard: number }
        expect(lower.soft).toBe(Math.min(one.soft, other.soft))
        expect(lower.hard).toBe(Math.min(one.hard, other.hard))
        expect(lower.soft).toBeLessThanOrEqual(lower.hard)
      }),
    )
  })
})
