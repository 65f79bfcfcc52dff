import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../src/model/errors.ts'
import { describeFailure, MAX_FAILURE_BYTES } from '../../src/model/failure.ts'
import { decodeJson, encodeInput } from '../../src/model/json.ts'

class ProviderDown extends Error {
  override name = 'ProviderDown'
  code = 'E_DOWN'
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function hostileGetters(): object {
  const boom = () => {
    throw new Error('getter')
  }
  const keys = ['name', 'message', 'code', 'stack', 'cause', 'errors']
  return Object.defineProperties({}, Object.fromEntries(keys.map((key) => [key, { get: boom, enumerable: true }])))
}

function cyclicCause(): Error {
  const first = new Error('first')
  const second = new Error('second', { cause: first })
  first.cause = second
  return first
}

function causeChain(length: number): Error {
  let error = new Error('root')
  for (let level = 1; level < length; level++) error = new Error(`level ${level}`, { cause: error })
  return error
}

const hugeText = 'é'.repeat(5_000_000)

const cases: [name: string, make: () => unknown, expected: object][] = [
  [
    'an Error',
    () => new TypeError('no'),
    { name: 'TypeError', message: 'no', stack: expect.stringMatching(/^ {4}at /) },
  ],
  ['an error with a code', () => new ProviderDown('down'), { name: 'ProviderDown', message: 'down', code: 'E_DOWN' }],
  ['a numeric code', () => Object.assign(new Error('x'), { code: 404 }), { code: '404' }],
  [
    'one of ours',
    () => new HoldfastError('HF_TIME_LIMIT', 'too slow'),
    { name: 'HoldfastError', code: 'HF_TIME_LIMIT' },
  ],
  ['a cause', () => new Error('outer', { cause: new Error('inner') }), { cause: { name: 'Error', message: 'inner' } }],
  [
    'a cause that is no error',
    () => new Error('outer', { cause: 'why' }),
    { cause: { name: 'Thrown string', message: 'why' } },
  ],
  ['a string', () => 'boom', { name: 'Thrown string', message: 'boom' }],
  ['an empty string', () => '', { name: 'Thrown string', message: '' }],
  ['null', () => null, { name: 'Thrown null', message: 'null' }],
  ['undefined', () => undefined, { name: 'Thrown undefined', message: 'undefined' }],
  ['a number', () => Number.NaN, { name: 'Thrown number', message: 'NaN' }],
  ['a bigint', () => 10n, { name: 'Thrown bigint', message: '10' }],
  ['a symbol', () => Symbol('x'), { name: 'Thrown symbol', message: 'Symbol(x)' }],
  ['a function', () => () => 1, { name: 'Thrown function', message: 'a Function' }],
  ['an array', () => [1, 'x'], { name: 'Thrown object', message: 'an array { 0: 1, 1: "x" }' }],
  [
    'an object',
    () => ({ status: 404, body: {} }),
    { name: 'Thrown object', message: 'an object { status: 404, body: an object }' },
  ],
  ['an object like an error', () => ({ name: 'Odd', message: 'm' }), { name: 'Odd', message: 'm' }],
  ['a frozen error', () => Object.freeze(new Error('cold')), { name: 'Error', message: 'cold' }],
  [
    'an error with odd fields',
    () => Object.assign(new Error('x'), { name: 5, code: {}, stack: 7 }),
    { name: 'Error', message: 'x' },
  ],
  [
    'getters that throw',
    hostileGetters,
    { name: 'Thrown object', message: expect.stringContaining('an object { name: undefined') },
  ],
  ['a revoked Proxy', revoked, { name: 'Thrown object', message: 'an object' }],
  ['a revoked Proxy as errors', () => Object.assign(new Error('x'), { errors: revoked() }), { message: 'x' }],
  ['a revoked Proxy as cause', () => new Error('x', { cause: revoked() }), { cause: { message: 'an object' } }],
  ['NUL and half surrogates', () => new Error('a\0b\ud800'), { message: 'ab\ufffd' }],
  [
    'a message of 10 MB',
    () => new Error(hugeText),
    { message: expect.stringMatching(/^é+… \[cut, 5000000 characters in all\]$/) },
  ],
  [
    'a name of 10 MB',
    () => Object.assign(new Error('x'), { name: hugeText }),
    { name: expect.stringContaining('cut') },
  ],
  [
    'a code of 10 MB',
    () => Object.assign(new Error('x'), { code: hugeText }),
    { code: expect.stringContaining('cut') },
  ],
  [
    'a stack of 10 MB',
    () => Object.assign(new Error('x'), { stack: '    at f (a.js:1:1)\n'.repeat(5e5) }),
    { message: 'x' },
  ],
  [
    'a million keys',
    () => Object.fromEntries(Array.from({ length: 1e6 }, (_, k) => [k, k])),
    { name: 'Thrown object' },
  ],
]

describe('describeFailure', () => {
  test.each(cases)('%s', (_, make, expected) => {
    const failure = describeFailure(make())
    expect(failure).toMatchObject(expected)
    expect(decodeJson(encodeInput(failure))).toEqual(failure)
    expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES)
  })

  test('leaves out what there is not', () => {
    expect(Object.keys(describeFailure(Object.assign(new Error('x'), { stack: 'Error: x' })))).toEqual([
      'name',
      'message',
    ])
    expect(Object.keys(describeFailure(Object.assign(new Error('x'), { stack: 7, code: '', errors: [] })))).toEqual([
      'name',
      'message',
    ])
  })

  test('keeps names and codes short', () => {
    const { name, code } = describeFailure(Object.assign(new Error('x'), { name: hugeText, code: hugeText }))
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(128)
    expect(Buffer.byteLength(code ?? hugeText)).toBeLessThanOrEqual(64)
  })

  test('describes each error of a cycle once', () => {
    expect(describeFailure(cyclicCause())).toMatchObject({ message: 'first', cause: { message: 'second' } })
    expect(describeFailure(cyclicCause()).cause?.cause).toBeUndefined()
  })

  test('ends a long chain of causes', () => {
    const failure = describeFailure(causeChain(1_000))
    expect(depthOf(failure)).toBe(6)
    expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES)
  })

  test('keeps the first parts of an AggregateError, the same ones only once', () => {
    const part = new Error('twice')
    const parts = [part, part, ...Array.from({ length: 100 }, (_, k) => new Error(`part ${k}`))]
    const failure = describeFailure(new AggregateError(parts, 'many'))
    expect(failure).toMatchObject({ name: 'AggregateError', message: 'many' })
    expect(failure.errors?.slice(0, 3).map((error) => error.message)).toEqual(['twice', 'part 0', 'part 1'])
    expect(failure.errors?.length).toBe(11)
    expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES)
  })

  test('stays bounded where errors nest in every direction', () => {
    const tree = (depth: number): Error =>
      depth === 0
        ? new Error('leaf')
        : new AggregateError([tree(depth - 1), tree(depth - 1), tree(depth - 1)], `d${depth}`, {
            cause: tree(depth - 1),
          })
    const failure = describeFailure(tree(5))
    expect(countOf(failure)).toBeLessThanOrEqual(13)
    expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES)
  })

  test('ends the stack at the end of a frame, without the message', () => {
    const stack = `Error: x\n${'    at someFunction (/app/file.js:10:5)\n'.repeat(1_000)}`
    const { stack: frames } = describeFailure(Object.assign(new Error('x'), { stack }))
    expect(frames).toMatch(
      /^( {4}at someFunction \(\/app\/file\.js:10:5\)\n)+ {4}at someFunction \(\/app\/file\.js:10:5\)$/,
    )
  })

  test('never throws, is JSON that PostgreSQL stores, and keeps to its limit, whatever is thrown', () => {
    const text = fc.string({
      unit: fc.constantFrom('\0', '\ud800', '\u0001', '"', 'a', '😀', '\n    at x'),
      maxLength: 3_000,
    })
    const { thrown } = fc.letrec((tie) => ({
      thrown: fc.oneof(
        { depthSize: 'medium' },
        fc.anything({ withBigInt: true, withNullPrototype: true, withMap: true }),
        text,
        fc.record({ name: text, message: text, code: text, stack: text, cause: tie('thrown') }, { requiredKeys: [] }),
        fc.record({ message: text, errors: fc.array(tie('thrown')) }),
      ),
    }))
    fc.assert(
      fc.property(thrown, fc.constantFrom(1_024, 8_192), (value, maxBytes) => {
        const failure = describeFailure(value, maxBytes)
        expect(bytesOf(failure)).toBeLessThanOrEqual(maxBytes)
        expect(decodeJson(encodeInput(failure))).toEqual(failure)
      }),
      { numRuns: 500 },
    )
  })
})

type Described = ReturnType<typeof describeFailure>

function bytesOf(failure: Described): number {
  return Buffer.byteLength(JSON.stringify(failure))
}

function depthOf(failure: Described): number {
  return 1 + (failure.cause === undefined ? 0 : depthOf(failure.cause))
}

function countOf(failure: Described): number {
  const inner = [...(failure.errors ?? []), ...(failure.cause === undefined ? [] : [failure.cause])]
  return 1 + inner.reduce((sum, each) => sum + countOf(each), 0)
}
