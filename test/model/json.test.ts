import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHoldfastError } from '../../src/model/errors.ts'
import { decodeJson, encodeInput, encodeResult, MAX_INPUT_BYTES } from '../../src/model/json.ts'

class User {
  name = 'Ada'
}

class Money {
  amount = 5n
  toJSON() {
    return { cents: '500' }
  }
}

class Itself {
  count = 1
  toJSON() {
    return this
  }
}

function cyclic(): unknown {
  const parent: { children: unknown[] } = { children: [] }
  parent.children.push({ name: 'child', parent })
  return { parent }
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? { a: value } : [value]
  return value
}

/** 2^60 paths through 60 small objects: a walk without a bound never ends. */
function manyPaths(): unknown {
  let value: unknown = 1
  for (let level = 0; level < 60; level++) value = { a: value, b: value }
  return value
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const bad: [name: string, make: () => unknown, message: string][] = [
  [
    'NUL in a string',
    () => ({ a: 'x\0y' }),
    'input.a contains a NUL character, which PostgreSQL cannot store: remove it',
  ],
  ['NUL in a key', () => ({ 'a\0': 1 }), 'input["a\\u0000"] is a key that contains a NUL character'],
  ['a lone high surrogate', () => [['\ud800']], 'input[0][0] contains half of a surrogate pair'],
  [
    'a lone low surrogate in a key',
    () => ({ '\udc00': 1 }),
    'input["\\udc00"] is a key that contains half of a surrogate',
  ],
  ['NUL after backslashes', () => ['\\\\\\\0'], 'input[0] contains a NUL character'],
  ['a bigint', () => ({ id: 1n }), 'input.id is a bigint: pass it as a string'],
  ['a cycle', cyclic, 'input.parent.children[0].parent points back to input.parent: JSON cannot carry cycles'],
  ['an array in itself', selfArray, 'input[0] points back to input'],
  ['undefined in an array', () => ({ items: [1, undefined] }), 'input.items[1] is undefined: pass null'],
  ['a hole in an array', () => new Array(1_000_000_000), 'input[0] is undefined: pass null'],
  ['a function', () => ({ run() {} }), 'input.run is a function, which JSON cannot carry'],
  ['a function as input', () => () => 1, 'input is a function, which JSON cannot carry'],
  ['a symbol', () => ({ a: Symbol('x') }), 'input.a is a symbol, which JSON cannot carry'],
  [
    'NaN',
    () => ({ items: [{}, {}, {}, { price: Number.NaN }] }),
    'input.items[3].price is NaN, which JSON cannot carry',
  ],
  ['Infinity', () => [Number.POSITIVE_INFINITY], 'input[0] is Infinity'],
  ['-Infinity', () => [Number.NEGATIVE_INFINITY], 'input[0] is -Infinity'],
  ['1e1000', () => JSON.parse('1e1000'), 'input is Infinity'],
  ['2^53', () => ({ id: 2 ** 53 }), 'input.id is beyond 2^53, where whole numbers lose digits: pass it as a string'],
  ['-2^53', () => ({ id: -(2 ** 53) }), 'input.id is beyond 2^53'],
  ['1e300', () => [1e300], 'input[0] is beyond 2^53'],
  ['a Date', () => ({ at: new Date(0) }), 'input.at is a Date, which comes back as a string: pass date.toISOString()'],
  ['an invalid Date', () => ({ at: new Date(Number.NaN) }), 'input.at is a Date'],
  ['a Map', () => ({ m: new Map() }), 'input.m is a Map, which JSON cannot carry: pass plain data'],
  ['a Set', () => [new Set([1])], 'input[0] is a Set'],
  ['a WeakMap', () => [new WeakMap()], 'input[0] is a WeakMap'],
  ['an Error', () => ({ e: new TypeError('x') }), 'input.e is a TypeError'],
  ['a RegExp', () => [/x/], 'input[0] is a RegExp'],
  ['a Promise', () => [Promise.resolve(1)], 'input[0] is a Promise'],
  ['a class instance', () => ({ user: new User() }), 'input.user is a User, which JSON cannot carry: pass plain data'],
  ['a boxed number', () => [Object(1)], 'input[0] is a Number'],
  ['a boxed string', () => [Object('a')], 'input[0] is a String'],
  ['a Buffer', () => ({ file: Buffer.from('x') }), 'input.file is a Buffer: pass it as a base64 string'],
  ['a typed array', () => [new Uint8Array(3)], 'input[0] is a Uint8Array: pass it as a base64 string'],
  ['an ArrayBuffer', () => [new ArrayBuffer(3)], 'input[0] is an ArrayBuffer, which JSON cannot carry'],
  ['a Map of another realm', () => [runInNewContext('new Map()')], 'input[0] is a Map'],
  [
    'an own __proto__',
    () => JSON.parse('{"a":{"__proto__":{"admin":true}}}'),
    'input.a.__proto__ is a key that would replace',
  ],
  [
    'raw JSON',
    () => [(JSON as unknown as { rawJSON(text: string): unknown }).rawJSON('1e1000')],
    'input[0] is an object',
  ],
  ['101 levels', () => nested(101), 'is nested deeper than 100 levels'],
  ['a million levels', () => nested(1_000_000), 'input[0].a[0].a[0].a…'],
  ['a toJSON that gives a bigint', () => [{ toJSON: () => ({ n: 1n }) }], 'input[0].n is a bigint'],
  ['a toJSON that gives nothing', () => [{ toJSON() {} }], 'input[0] is undefined'],
  ['a toJSON that throws', () => [{ toJSON: () => fail('no json') }], 'input[0] cannot be read: "no json"'],
  [
    'a getter that throws',
    () => ({
      a: {
        get b() {
          return fail('boom')
        },
      },
    }),
    'input.a.b cannot be read: "boom"',
  ],
  ['a revoked Proxy', () => ({ p: revoked() }), 'input.p cannot be read'],
  ['a Proxy that throws', () => [new Proxy({}, { ownKeys: () => fail('trap') })], 'input[0]'],
  ['a getter that changes', changing, 'input changes while it is read'],
  ['a getter that turns bad', turningBad, 'input changes while it is read'],
]

function selfArray(): unknown {
  const array: unknown[] = []
  array.push(array)
  return array
}

function changing(): unknown {
  let reads = 0
  return {
    get a() {
      return reads++ === 0 ? 1 : 1n
    },
  }
}

function turningBad(): unknown {
  let reads = 0
  return {
    get a() {
      return reads++ === 1 ? '\0' : 'good'
    },
  }
}

function fail(message: string): never {
  throw new Error(message)
}

describe('encodeInput refuses', () => {
  test.each(bad)('%s', (_, make, message) => {
    const error = thrownBy(() => encodeInput(make()))
    expect(isHoldfastError(error, 'HF_INPUT'), String(error)).toBe(true)
    expect((error as Error).message).toContain(message)
    expect((error as Error).message.length).toBeLessThan(500)
  })

  test('with the cause of what could not be read', () => {
    const cause = new Error('boom')
    const error = thrownBy(() =>
      encodeInput({
        get a() {
          throw cause
        },
      }),
    )
    expect(error).toMatchObject({ code: 'HF_INPUT', cause })
  })

  test('in the words of the caller', () => {
    expect(() => encodeInput({ a: 1n }, { what: 'input of send-receipt' })).toThrow(
      'input of send-receipt.a is a bigint',
    )
    expect(() => encodeResult({ a: 1n })).toThrow('result.a is a bigint: pass it as a string [HF_RESULT]')
    expect(encodeResult({ at: new Date(0), in: [new Date(1)] })).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","in":["1970-01-01T00:00:00.001Z"]}',
    )
    expect(() => encodeResult({ at: new Date(Number.NaN) })).toThrow('result.at is a Date')
  })
})

describe('encodeInput takes', () => {
  const prototypeless = Object.assign(Object.create(null), { a: 1 })
  const shared = { x: 1 }
  test.each<[string, unknown, string]>([
    ['undefined as null', undefined, 'null'],
    ['null', null, 'null'],
    ['an empty object', {}, '{}'],
    ['strings', ['a"\\\n', ''], '["a\\"\\\\\\n",""]'],
    ['what only looks like an escaped NUL', ['\\u0000', '\\ud800'], '["\\\\u0000","\\\\ud800"]'],
    ['control characters', ['\u001b'], '["\\u001b"]'],
    ['whole surrogate pairs', { '😀': '😀' }, '{"😀":"😀"}'],
    [
      'the largest safe integers',
      [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
      '[9007199254740991,-9007199254740991]',
    ],
    ['fractions', [0.1, -1e-300], '[0.1,-1e-300]'],
    ['undefined properties by leaving them out', { a: undefined, b: 1 }, '{"b":1}'],
    ['symbol keys by leaving them out', { [Symbol('x')]: 1n, b: 1 }, '{"b":1}'],
    ['objects without a prototype', prototypeless, '{"a":1}'],
    ['objects of another realm', runInNewContext('({ a: [1, { b: 2 }] })'), '{"a":[1,{"b":2}]}'],
    ['the same object twice', [shared, shared], '[{"x":1},{"x":1}]'],
    ['a class with toJSON', { price: new Money() }, '{"price":{"cents":"500"}}'],
    ['a toJSON that returns this', new Itself(), '{"count":1}'],
    ['a URL', [new URL('https://a.example/')], '["https://a.example/"]'],
    [
      'keys that are harmless as data',
      { constructor: 1, prototype: 2, toString: 3 },
      '{"constructor":1,"prototype":2,"toString":3}',
    ],
    ['100 levels', nested(100), JSON.stringify(nested(100))],
  ])('%s', (_, value, text) => {
    expect(encodeInput(value)).toBe(text)
  })
})

describe('the size limit', () => {
  test('counts bytes, not characters', () => {
    const text = 'é'.repeat(50)
    expect(encodeInput(text, { maxBytes: 102 })).toHaveLength(52)
    expect(() => encodeInput(text, { maxBytes: 101 })).toThrow(
      'input is 102 bytes of JSON; the limit `maxInputBytes` is 101 [HF_INPUT_TOO_LARGE]',
    )
  })

  test('is 256 KiB by default', () => {
    expect(encodeInput('x'.repeat(MAX_INPUT_BYTES - 2))).toHaveLength(262_144)
    expect(thrownBy(() => encodeInput('x'.repeat(MAX_INPUT_BYTES - 1)))).toMatchObject({ code: 'HF_INPUT_TOO_LARGE' })
  })

  test('ends the walk early, where the text would be endless', () => {
    expect(thrownBy(() => encodeInput(manyPaths()))).toMatchObject({ code: 'HF_INPUT_TOO_LARGE' })
  })

  test('counts what escapes make of a string', () => {
    expect(thrownBy(() => encodeInput('\u0001'.repeat(100), { maxBytes: 500 }))).toMatchObject({
      code: 'HF_INPUT_TOO_LARGE',
    })
  })

  test('refuses exactly what is larger, whatever the value', () => {
    fc.assert(
      fc.property(storable, fc.nat({ max: 300 }), (value, maxBytes) => {
        const bytes = Buffer.byteLength(JSON.stringify(value))
        const refused = isHoldfastError(
          thrownBy(() => encodeInput(value, { maxBytes })),
          'HF_INPUT_TOO_LARGE',
        )
        expect(refused).toBe(bytes > maxBytes)
      }),
    )
  })
})

/** Any JSON value that PostgreSQL can store, without a key `__proto__`, which is refused whatever else is wrong with the value. */
const storable = fc
  .jsonValue({
    stringUnit: fc.oneof(
      fc.constantFrom('\\', 'u', '0', '"', 'd'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  .filter(
    (value) =>
      !/\\u0000|__proto__/.test(JSON.stringify(value)) && allNumbers(value).every((n) => Math.abs(n) < 2 ** 53),
  )

function allNumbers(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(allNumbers) : []
}

describe('any value', () => {
  test('that JSON and PostgreSQL can carry comes back as it was', () => {
    fc.assert(
      fc.property(storable, (value) => {
        expect(decodeJson(encodeInput(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 500 },
    )
  })

  test('at all comes back as it was, or is refused with a typed error', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withObjectString: true,
      stringUnit: fc.constantFrom('\0', '\ud800', '\udc00', '\\', 'u', '0', 'a', '😀'),
    })
    let taken = 0
    fc.assert(
      fc.property(anything, (value) => {
        let text: string
        try {
          text = encodeInput(value)
        } catch (error) {
          if (!isHoldfastError(error, 'HF_INPUT')) throw error
          return
        }
        taken++
        const back = decodeJson(text)
        expect(Buffer.from(text).toString()).toBe(text)
        expect(holdsUnstorableText(back)).toBe(false)
        expect(value === undefined ? null : withoutZeroSign(value)).toEqual(back)
      }),
      { numRuns: 2_000 },
    )
    expect(taken).toBeGreaterThan(200)
  })
})

function holdsUnstorableText(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed()
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).flat().some(holdsUnstorableText)
}

/** JSON has no -0, and no objects without a prototype. */
function withoutZeroSign(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(withoutZeroSign)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutZeroSign(inner)]))
}

describe('decodeJson', () => {
  test.each([
    '{"__proto__":{"admin":true},"a":1}',
    '{"\\u005f_proto__":{"admin":true},"a":1}',
    '{"a":1,"__proto__":null}',
  ])('drops the key __proto__: %s', (text) => {
    const value = decodeJson(text) as object
    expect(Object.keys(value)).toEqual(['a'])
    expect((Object.assign({}, value) as { admin?: boolean }).admin).toBeUndefined()
  })

  test('drops it inside, too', () => {
    expect(JSON.stringify(decodeJson('[{"b":{"__proto__":{"x":1}}}]'))).toBe('[{"b":{}}]')
  })

  test('keeps the text __proto__ where it is a value', () => {
    expect(decodeJson('["__proto__"]')).toEqual(['__proto__'])
  })

  test.each(['', '{', 'undefined', "{'a':1}", '[1,]'])('refuses %j', (text) => {
    expect(() => decodeJson(text, 'input of job 7')).toThrow('input of job 7 is not JSON [HF_INPUT]')
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
