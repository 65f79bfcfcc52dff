import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHoldfastError } from '../../src/model/errors.ts'
import { parseWhen } from '../../src/model/when.ts'

describe('parseWhen', () => {
  test('a duration is a delay, a date is a moment', () => {
    expect(parseWhen('2m', 'after')).toEqual({ kind: 'delay', ms: 120_000 })
    expect(parseWhen(new Date('2026-11-21T10:00:00Z'), 'after')).toEqual({
      kind: 'at',
      iso: '2026-11-21T10:00:00.000Z',
    })
  })

  test.each(['2000-01-01T00:00:00.000Z', '2099-12-31T23:59:59.999Z'])('takes %s', (iso) => {
    expect(parseWhen(new Date(iso), 'after')).toEqual({ kind: 'at', iso })
  })

  test('knows a date of another realm', () => {
    expect(parseWhen(runInNewContext('new Date(1790000000000)') as Date, 'after').kind).toBe('at')
  })

  test.each<[unknown, RegExp]>([
    [new Date(Number.NaN), /^after is an invalid Date/],
    [new Date(8.64e15), /^after is "\+275760-09-13T00:00:00.000Z", outside the years 2000 to 2099/],
    [new Date(-1), /outside the years 2000 to 2099 \[/],
    [new Date(Date.UTC(2000, 0, 1) - 1), /outside the years 2000 to 2099 \[/],
    [new Date(Date.UTC(2100, 0, 1)), /outside the years 2000 to 2099 \[/],
    [new Date(Date.UTC(2100, 0, 1) / 1_000), /outside the years 2000 to 2099 \[/],
    [new Date(0), /milliseconds, not seconds/],
    [new Date(1_790_000_000), /outside the years 2000 to 2099; new Date\(\) takes milliseconds, not seconds/],
    ['tomorrow', /^after must be a number and a unit/],
    ['-2m', /^after must be a number and a unit/],
    ['4000d', /ten years/],
    [1_790_000_000_000, /^after must be a number and a unit/],
    ['2026-11-21T10:00:00Z', /^after must be a number and a unit/],
  ])('refuses %s', (value, message) => {
    expect(() => parseWhen(value as Date, 'after')).toThrow(message)
  })

  test('every date gives a moment that PostgreSQL reads, or a typed error', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: false }), (date) => {
        try {
          expect(parseWhen(date, 'x')).toEqual({ kind: 'at', iso: expect.stringMatching(/^20\d\d-.{18}Z$/) })
        } catch (error) {
          if (!isHoldfastError(error, 'HF_DURATION')) throw error
        }
      }),
    )
  })
})
