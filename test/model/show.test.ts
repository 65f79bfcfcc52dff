import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { show } from '../../src/model/show.ts'

const revoked = Proxy.revocable({}, {})
revoked.revoke()
const hostile = Object.create({
  get constructor() {
    throw new Error('no')
  },
})

describe('show', () => {
  const cases: [unknown, string][] = [
    [null, 'null'],
    [undefined, 'undefined'],
    [-0.5, '-0.5'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [10n, 'a bigint'],
    [Symbol('x'), 'a symbol'],
    [show, 'a function'],
    ['a"b\u001b[31m', '"a\\"b\\u001b[31m"'],
    ['x'.repeat(10_000_000), `"${'x'.repeat(60)}…"`],
    [[1], 'an array'],
    [{ password: 'secret' }, 'an object'],
    [Object.create(null), 'an object'],
    [new Map(), 'a Map'],
    [new Error('x'), 'an Error'],
    [new (class User {})(), 'a User'],
    [revoked.proxy, 'an object'],
    [hostile, 'an object'],
  ]

  // By index: vitest cannot print these values itself.
  test.each(cases.keys().toArray())('case %i', (index) => {
    const [value, text] = cases[index] as [unknown, string]
    expect(show(value)).toBe(text)
  })

  test('is short and on one line for any value', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(show(value).length).toBeLessThan(500)
        expect(show(value)).not.toMatch(/[\n\0]/)
      }),
    )
  })
})
