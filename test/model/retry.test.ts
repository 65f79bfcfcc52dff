import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HoldfastError } from '../../src/model/errors.ts'
import { type RetryOptions, type RetryPolicy, resolveRetry, retryDelay, shouldRetry } from '../../src/model/retry.ts'

class ProviderDown extends Error {}
class QuotaUsed extends ProviderDown {}

type Policy = Exclude<RetryPolicy, false>
const resolve = (options?: RetryOptions, defaults?: RetryOptions | false) =>
  resolveRetry(options, 'retry of task t', defaults) as Policy

describe('resolveRetry', () => {
  test('has defaults', () => {
    expect(resolve()).toEqual({ limit: 10, backoff: 5_000, factor: 2, max: 600_000, jitter: 'full', on: undefined })
    expect(resolve({})).toEqual(resolve())
  })

  test('takes from the app what the task leaves out', () => {
    const app: RetryOptions = { limit: 3, backoff: '1s', jitter: 'none' }
    expect(resolve(undefined, app)).toMatchObject({ limit: 3, backoff: 1_000, jitter: 'none', factor: 2 })
    expect(resolve({ limit: 7, backoff: undefined as never }, app)).toMatchObject({ limit: 7, backoff: 1_000 })
    expect(resolve({}, { limit: undefined as never }).limit).toBe(10)
    expect(resolve({ limit: 7 }, false)).toMatchObject({ limit: 7, backoff: 5_000 })
    expect(resolve(undefined, false)).toBe(false)
    expect(resolveRetry(false, 'retry', app)).toBe(false)
  })

  test('never cuts a backoff short by a default', () => {
    expect(resolve({ backoff: '1h' }).max).toBe(3_600_000)
  })

  test('is frozen', () => {
    expect(Object.isFrozen(resolve())).toBe(true)
    expect(Object.isFrozen(resolve({ on: [ProviderDown] }).on)).toBe(true)
  })

  test.each<[object, HoldfastError['code'], string]>([
    [{ limit: -1 }, 'HF_CONFIG', 'limit in retry of task t must be a whole number from 0 to 1000, not -1'],
    [{ limit: 1.5 }, 'HF_CONFIG', 'not 1.5'],
    [{ limit: 1e9 }, 'HF_CONFIG', 'not 1000000000'],
    [{ limit: Number.NaN }, 'HF_CONFIG', 'not NaN'],
    [{ limit: '5' }, 'HF_CONFIG', 'not "5"'],
    [{ limit: null }, 'HF_CONFIG', 'not null'],
    [{ factor: 0.5 }, 'HF_CONFIG', 'factor in retry of task t must be a number from 1 to 100, not 0.5'],
    [{ factor: Number.POSITIVE_INFINITY }, 'HF_CONFIG', 'not Infinity'],
    [{ factor: Number.NaN }, 'HF_CONFIG', 'not NaN'],
    [{ backoff: '-1s' }, 'HF_DURATION', 'backoff in retry of task t must be a number and a unit'],
    [{ backoff: 5_000 }, 'HF_DURATION', 'not 5000'],
    [{ max: '1s' }, 'HF_CONFIG', 'max in retry of task t must be a duration from 5s to 3650d, not "1s"'],
    [
      { jitter: 'ful' },
      'HF_CONFIG',
      `jitter in retry of task t must be one of full, none, not "ful". Did you mean 'full'?`,
    ],
    [{ attempts: 5 }, 'HF_CONFIG', 'retry of task t has no option "attempts".'],
    [{ backof: '5s' }, 'HF_CONFIG', `has no option "backof". Did you mean 'backoff'?`],
    [{ on: ProviderDown }, 'HF_CONFIG', 'is an error class: write it as a list, on: [ProviderDown]'],
    [{ on: Error }, 'HF_CONFIG', 'on: [Error]'],
    [
      { on: ['ProviderDown'] },
      'HF_CONFIG',
      'on in retry of task t must be a list of error classes or a predicate, not an array',
    ],
    [{ on: [Map] }, 'HF_CONFIG', 'must be a list of error classes'],
    [{ on: 'ProviderDown' }, 'HF_CONFIG', 'not "ProviderDown"'],
    [[], 'HF_CONFIG', 'retry of task t must be an object, not an array'],
    [5 as never, 'HF_CONFIG', 'must be an object, not 5'],
    [true as never, 'HF_CONFIG', 'must be an object, not true'],
    [null as never, 'HF_CONFIG', 'must be an object, not null'],
  ])('refuses %o', (options, code, message) => {
    const run = () => resolve(options as RetryOptions)
    expect(run).toThrow(message)
    expect(run).toThrow(`[${code}]`)
  })
})

describe('retryDelay', () => {
  const steady = resolve({ jitter: 'none' })

  test('doubles up to the longest', () => {
    const delays = Array.from({ length: 10 }, (_, k) => retryDelay(steady, k + 1, Math.random))
    expect(delays).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600, 600].map((s) => s * 1_000))
  })

  test.each<[number, number]>([
    [0, 0],
    [0.5, 2_500],
    [0.999999, 5_000],
    [1, 5_000],
  ])('draws the whole range: %d gives %i ms', (random, ms) => {
    expect(retryDelay(resolve(), 1, () => random)).toBe(ms)
  })

  const options = fc.record({
    backoff: fc.nat(86_400_000).map((ms) => `${ms}ms` as const),
    max: fc.integer({ min: 86_400_000, max: 10 ** 9 }).map((ms) => `${ms}ms` as const),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    jitter: fc.constantFrom('full' as const, 'none' as const),
  })
  const failures = fc.oneof(fc.nat(20), fc.integer({ min: 1, max: 1e9 }))
  const random = fc.double({ min: 0, max: 1, noNaN: true })

  test('is whole milliseconds from 0 to the longest, at any number of failures', () => {
    fc.assert(
      fc.property(options, failures, random, (given, count, drawn) => {
        const policy = resolve(given)
        const delay = retryDelay(policy, count, () => drawn)
        expect(Number.isInteger(delay) && delay >= 0 && delay <= policy.max).toBe(true)
      }),
    )
  })

  test('never gets shorter without jitter, and jitter only shortens', () => {
    fc.assert(
      fc.property(options, failures, random, (given, count, drawn) => {
        const policy = resolve({ ...given, jitter: 'none' })
        const delay = retryDelay(policy, count, Math.random)
        expect(retryDelay(policy, count + 1, Math.random)).toBeGreaterThanOrEqual(delay)
        expect(retryDelay({ ...policy, jitter: 'full' }, count, () => drawn)).toBeLessThanOrEqual(delay)
      }),
    )
  })

  test('waits nothing where the backoff is zero', () => {
    expect(retryDelay(resolve({ backoff: '0s' }), 1e9, () => 1)).toBe(0)
  })
})

describe('shouldRetry', () => {
  const boom = new Error('boom')
  const throwing = () => {
    throw boom
  }

  test.each<[string, RetryOptions | false, unknown, number, object]>([
    ['any error by default', {}, boom, 1, { retry: true }],
    ['what is no error, too', {}, undefined, 1, { retry: true }],
    ['up to the limit', { limit: 3 }, boom, 3, { retry: true }],
    ['not past the limit', { limit: 3 }, boom, 4, { retry: false, why: 'limit' }],
    ['never where it is off', false, boom, 1, { retry: false, why: 'no-retries' }],
    ['never with limit 0', { limit: 0 }, boom, 1, { retry: false, why: 'no-retries' }],
    ['listed errors', { on: [ProviderDown] }, new ProviderDown(), 1, { retry: true }],
    ['classes under listed errors', { on: [ProviderDown] }, new QuotaUsed(), 1, { retry: true }],
    ['no other errors', { on: [ProviderDown] }, boom, 1, { retry: false, why: 'not-listed' }],
    ['nothing from an empty list', { on: [] }, boom, 1, { retry: false, why: 'not-listed' }],
    ['what the predicate takes', { on: (e) => e === boom }, boom, 1, { retry: true }],
    ['not what it refuses', { on: (e) => e === boom }, 'x', 1, { retry: false, why: 'not-listed' }],
    ['not when it throws', { on: throwing }, 'x', 1, { retry: false, why: 'predicate-failed', error: boom }],
  ])('%s', (_, options, error, failures, decision) => {
    expect(shouldRetry(resolveRetry(options, 'retry'), error, failures)).toEqual(decision)
  })

  test.each([
    ['a promise', () => Promise.resolve(true)],
    ['a rejected promise', () => Promise.reject(boom)],
    ['nothing', () => undefined],
    ['a number', () => 1],
  ])('not when the predicate answers with %s', (_, on) => {
    const policy = resolve({ on: on as unknown as () => boolean })
    expect(shouldRetry(policy, 'x', 1)).toMatchObject({
      retry: false,
      why: 'predicate-failed',
      error: { message: expect.stringMatching(/^retry\.on must answer true or false at once, not /) },
    })
  })

  test('gives any job an end', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.integer({ min: 1, max: 1e9 }), (limit, failures) => {
        expect(shouldRetry(resolve({ limit }), boom, failures).retry).toBe(failures <= limit)
      }),
    )
  })
})
