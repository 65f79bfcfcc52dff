import { expect } from 'vitest'
import type { Row } from './rows.ts'

class Refused extends Error {
  override name = 'Refused'
}

const cyclic = new Error('outer') as Error & { cause: unknown }
cyclic.cause = Object.assign(new Error('inner'), { cause: cyclic })

/** What code can throw, and the name and message under which the job shows it. */
const THROWN: [string, unknown, string | RegExp, string | RegExp][] = [
  ['a string', 'gone wrong', 'Thrown string', 'gone wrong'],
  ['null', null, 'Thrown null', 'null'],
  ['undefined', undefined, 'Thrown undefined', 'undefined'],
  ['a number', 42, 'Thrown number', '42'],
  ['a bigint', 7n, 'Thrown bigint', '7'],
  ['a symbol', Symbol('s'), 'Thrown symbol', 'Symbol(s)'],
  ['an object', { status: 404 }, 'Thrown object', /status: 404/],
  ['a frozen error', Object.freeze(new Error('cold')), 'Error', 'cold'],
  ['an error of a class', new Refused('no'), 'Refused', 'no'],
  ['an error without a message', new Error(''), 'Error', ''],
  ['a getter that throws', throwing('message'), /Error|Thrown/, /./],
  ['an error whose name throws', throwing('name'), 'Error', 'x'],
  ['a Proxy that throws', new Proxy({}, traps()), /Thrown/, /./],
  ['a revoked Proxy', revoked(), /Thrown/, /./],
  ['a cyclic cause', cyclic, 'Error', 'outer'],
  ['a message of 10 MB', new Error('y'.repeat(10_000_000)), 'Error', /^y+… \[cut, 10000000 characters in all\]$/],
  ['an AggregateError', new AggregateError([new Error('one'), 'two'], 'both'), 'AggregateError', 'both'],
  ['a rejection with an array', [1, 2], 'Thrown object', /an array/],
  ['a DOMException', new DOMException('stop', 'AbortError'), 'AbortError', 'stop'],
]

/** What code can return, and what is kept of it. */
const RETURNED: [string, unknown, string][] = [
  ['a bigint', 1n, 'result is a bigint'],
  ['a Map', new Map(), 'result is a Map'],
  ['a function', () => 1, 'result is a function'],
  ['a cycle', cyclicObject(), 'result.self points back to result'],
  ['NaN', { n: Number.NaN }, 'result.n is NaN'],
  ['a NUL', { a: 'x\0' }, 'result.a contains a NUL'],
  ['300 KB', 'z'.repeat(300_000), 'result is more than 262144 bytes'],
  ['a Date that is none', new Date(Number.NaN), 'result is a Date'],
  ['a hostile Proxy', new Proxy({}, traps()), 'result cannot be read'],
]

/** Rows about what code throws and returns. */
export const RUNS: readonly Row[] = [
  {
    input: 'thrown values that are no errors',
    async check(yard) {
      for (const [what, thrown, name, message] of THROWN) {
        for (const how of [() => Promise.reject(thrown), sync(thrown)]) {
          const job = await yard.run(how)
          expect(job, what).toMatchObject({ state: 'failed', failures: 1 })
          const { error } = job
          expect(error?.name, what).toMatch(name instanceof RegExp ? name : exact(name))
          expect(error?.message, what).toMatch(message instanceof RegExp ? message : exact(message))
          expect(Buffer.byteLength(JSON.stringify(error)), what).toBeLessThan(9_000)
        }
      }
    },
  },
  {
    input: 'results that are too big or cannot be written',
    async check(yard) {
      for (const [what, returned, says] of RETURNED) {
        const job = await yard.run(() => returned)
        expect(job, what).toMatchObject({ state: 'completed', failures: 0 })
        expect(JSON.stringify(job.result), what).toContain('the result was dropped')
        expect(JSON.stringify(job.result), what).toContain(says)
      }
      expect(await yard.run(() => undefined)).toMatchObject({ state: 'completed', result: null })
      const thenThrows = Object.defineProperty({}, ['th', 'en'].join(''), { get: () => boom() })
      expect((await yard.run(() => thenThrows)).state).toBe('completed')
    },
  },
]

function exact(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`)
}

function sync(thrown: unknown): () => never {
  return () => {
    throw thrown
  }
}

function boom(): never {
  throw new Error('a trap')
}

function throwing(property: string): Error {
  return Object.defineProperty(new Error('x'), property, { get: boom })
}

/** Every way to look at it throws. */
function traps(): ProxyHandler<object> {
  return {
    get: boom,
    getPrototypeOf: boom,
    has: boom,
    ownKeys: boom,
    getOwnPropertyDescriptor: boom,
  }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function cyclicObject(): object {
  const value: { self?: object } = {}
  value.self = value
  return value
}
