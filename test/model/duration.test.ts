import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Duration,
  formatDuration,
  MAX_DURATION_MS,
  MAX_TIMER_MS,
  parseDuration,
} from '../../src/model/duration.ts'
import { isHoldfastError } from '../../src/model/errors.ts'

describe('parseDuration', () => {
  test.each<[Duration, number]>([
    ['0s', 0],
    ['1ms', 1],
    ['500ms', 500],
    ['20s', 20_000],
    ['1.5m', 90_000],
    ['0.5ms', 1],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['3650d', MAX_DURATION_MS],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text, 'timeLimit')).toBe(ms)
  })

  test.each<[unknown, RegExp]>([
    ['-5s', /^timeLimit must be a number and a unit, like '20s' or '1.5h', not "-5s" \[HF_DURATION\]$/],
    ['5 min', /not "5 min"/],
    ['5', /not "5"/],
    ['', /not ""/],
    ['s', /not "s"/],
    [' 5s', /not " 5s"/],
    ['5s\n', /not "5s\\n"/],
    ['5S', /not "5S"/],
    ['1e3s', /not "1e3s"/],
    ['.5s', /not ".5s"/],
    ['0x10s', /not "0x10s"/],
    ['NaNs', /not "NaNs"/],
    ['Infinitys', /not "Infinitys"/],
    ['3651d', /^timeLimit is 3651d: the longest is ten years, '3650d'/],
    ['999999999999999d', /the longest is ten years/],
    ['1'.repeat(10_000_000), /not "1{60}…"/],
    [5_000, /not 5000/],
    [Number.NaN, /not NaN/],
    [Number.POSITIVE_INFINITY, /not Infinity/],
    [null, /not null/],
    [undefined, /not undefined/],
    [5n, /not a bigint/],
    [{}, /not an object/],
    [['5s'], /not an array/],
    [new Date(0), /not a Date/],
  ])('refuses %s', (value, message) => {
    expect(() => parseDuration(value as Duration, 'timeLimit')).toThrow(message)
    expect(
      isHoldfastError(
        thrownBy(() => parseDuration(value as Duration, 'x')),
        'HF_DURATION',
      ),
    ).toBe(true)
  })

  test('gives whole milliseconds between zero and ten years, or a typed error, for any text', () => {
    const number = fc.oneof(fc.double().map(String), fc.nat().map(String), fc.string())
    const text = fc.tuple(number, fc.constantFrom('ms', 's', 'm', 'h', 'd', '')).map(([n, unit]) => n + unit)
    fc.assert(
      fc.property(text, (value) => {
        try {
          const ms = parseDuration(value, 'x')
          expect(Number.isInteger(ms) && ms >= 0 && ms <= MAX_DURATION_MS).toBe(true)
        } catch (error) {
          if (!isHoldfastError(error, 'HF_DURATION')) throw error
        }
      }),
    )
  })
})

describe('formatDuration', () => {
  test.each<[number, string]>([
    [0, '0ms'],
    [350, '350ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [1_234, '1.2s'],
    [9_960, '10s'],
    [12_345, '12s'],
    [59_600, '1m'],
    [125_000, '2m 5s'],
    [3_599_600, '1h'],
    [3_780_000, '1h 3m'],
    [86_399_000, '1d'],
    [187_200_000, '2d 4h'],
    [-125_000, '-2m 5s'],
    [Number.NaN, '?'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  test('is never off by more than 5 %, and no unit overflows into the next', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: MAX_DURATION_MS, noNaN: true }), (ms) => {
        const parts = formatDuration(ms).split(' ')
        const shown = parts.reduce((sum, part) => sum + parseDuration(part, 'x'), 0)
        expect(Math.abs(shown - ms)).toBeLessThanOrEqual(Math.max(0.5, ms * 0.05))
        expect(parts.some((part) => /^(60[sm]|24h|1000ms|0[smhd])$/.test(part))).toBe(false)
      }),
    )
  })
})

test('MAX_TIMER_MS is what node can wait', () => {
  expect(MAX_TIMER_MS).toBe(2_147_483_647)
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
