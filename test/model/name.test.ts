import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHoldfastError } from '../../src/model/errors.ts'
import { checkName, didYouMean, type NameKind, suggestion } from '../../src/model/name.ts'

describe('checkName', () => {
  test.each<[NameKind, string]>([
    ['task', 'send-receipt'],
    ['task', 'billing/Invoice.send:v2_1'],
    ['task', 'constructor'],
    ['queue', 'x'.repeat(128)],
    ['build', '2026-11-21.3f9c2ab'],
    ['schema', 'holdfast'],
    ['schema', '_'],
    ['schema', `a${'1'.repeat(39)}`],
  ])('a %s may be called %s', (kind, name) => {
    expect(checkName(kind, name)).toBe(name)
  })

  test.each<[NameKind, unknown, string]>([
    ['task', '', 'The name of a task must be 1 to 128 of the characters A-Z a-z 0-9 _ . : / -, not "" [HF_NAME]'],
    ['task', 'x'.repeat(129), `not "${'x'.repeat(60)}…"`],
    ['task', 'send receipt', 'not "send receipt"'],
    ['task', 'a\0', 'not "a\\u0000"'],
    ['task', 'a\n', 'not "a\\n"'],
    ['task', 'überweisung', 'not "überweisung"'],
    ['task', '\ud800', 'not "\\ud800"'],
    ['queue', "x'; drop table jobs; --", `not "x'; drop table jobs; --"`],
    ['queue', '<img onerror=1>', 'The name of a queue must be'],
    ['queue', '\u001b[31m', 'not "\\u001b[31m"'],
    ['queue', undefined, 'not undefined'],
    ['queue', ['a'], 'not an array'],
    ['build', null, 'The name of a build must be'],
    [
      'schema',
      'Public',
      'The name of a schema must be a lower-case letter or _, then at most 39 of a-z 0-9 _, not "Public"',
    ],
    ['schema', '1a', 'not "1a"'],
    ['schema', 'a"b', 'not "a\\"b"'],
    ['schema', `a${'1'.repeat(40)}`, 'The name of a schema'],
    ['schema', 'a.b', 'not "a.b"'],
  ])('a %s may not be called %j', (kind, name, message) => {
    expect(() => checkName(kind, name)).toThrow(message)
  })

  test('lets nothing through that needs quoting, whatever the text', () => {
    const unit = fc.constantFrom('a', 'Z', '0', '_', '-', '.', ':', '/', "'", '"', '\\', ' ', '\0', 'é', ';', '$')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 140 }), (name) => {
        try {
          expect(encodeURI(checkName('queue', name))).toBe(name)
          expect(name.length).toBeLessThanOrEqual(128)
        } catch (error) {
          if (!isHoldfastError(error, 'HF_NAME')) throw error
        }
      }),
    )
  })
})

describe('didYouMean', () => {
  const queues = ['realtime', 'bulk', 'default', 'mail']

  test.each([
    ['realtim', 'realtime'],
    ['raeltime', 'realtime'],
    ['Realtime', 'realtime'],
    ['real-time', 'realtime'],
    ['blk', 'bulk'],
    ['bluk', 'bulk'],
    ['mial', 'mail'],
    ['deflaut', 'default'],
    ['hourly', undefined],
    ['x', undefined],
    ['', undefined],
    ['toString', undefined],
    ['x'.repeat(1_000_000), undefined],
  ])('%s: %s', (word, meant) => {
    expect(didYouMean(word, queues)).toBe(meant)
  })

  test('takes - and _ for the same', () => {
    expect(didYouMean('send_receipt', ['send-receipt', 'send-receipts'])).toBe('send-receipt')
  })

  test('takes the first of those that are equally near', () => {
    expect(didYouMean('mai', ['mail', 'main'])).toBe('mail')
  })

  test('as a sentence, or nothing', () => {
    expect(suggestion('realtim', queues)).toBe(" Did you mean 'realtime'?")
    expect(suggestion('hourly', queues)).toBe('')
  })

  test('finds any word again after one typing mistake', () => {
    const word = fc.string({ unit: fc.constantFrom(...'abcdefgh'), minLength: 4, maxLength: 20 })
    const mistake = fc.constantFrom('drop', 'double', 'replace', 'swap')
    fc.assert(
      fc.property(word, fc.nat(), mistake, (right, place, kind) => {
        const at = place % (right.length - 1)
        const [before, char, next, after] = [right.slice(0, at), right[at], right[at + 1], right.slice(at + 2)]
        const wrong = {
          drop: `${before}${next}${after}`,
          double: `${before}${char}${char}${next}${after}`,
          replace: `${before}x${next}${after}`,
          swap: `${before}${next}${char}${after}`,
        }[kind]
        expect(didYouMean(wrong, ['zzzzzzzzzzzzzzzzzzzzzzzzzzzz', right])).toBe(right)
      }),
    )
  })
})
