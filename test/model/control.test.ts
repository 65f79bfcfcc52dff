import { describe, expect, test } from 'vitest'
import { controlOf, Discard, isDiscard, isRetryAfter, isSnooze, RetryAfter, Snooze } from '../../src/model/control.ts'
import type { Duration } from '../../src/model/duration.ts'
import { describeFailure } from '../../src/model/failure.ts'

describe('what user code throws to steer its job', () => {
  const date = new Date('2026-11-21T10:00:00Z')

  test.each([
    [new Discard('order is gone'), { kind: 'discard' }],
    [new RetryAfter('90s'), { kind: 'retry-after', when: { kind: 'delay', ms: 90_000 } }],
    [new RetryAfter(date), { kind: 'retry-after', when: { kind: 'at', iso: '2026-11-21T10:00:00.000Z' } }],
    [new Snooze('1h'), { kind: 'snooze', when: { kind: 'delay', ms: 3_600_000 } }],
    [new Snooze(date), { kind: 'snooze', when: { kind: 'at', iso: '2026-11-21T10:00:00.000Z' } }],
  ])('%s', (thrown, control) => {
    expect(controlOf(thrown)).toEqual(control)
    expect([isDiscard(thrown), isRetryAfter(thrown), isSnooze(thrown)]).toEqual(
      ['discard', 'retry-after', 'snooze'].map((kind) => kind === control.kind),
    )
  })

  test('reads well in a list of failures, with its cause', () => {
    expect(describeFailure(new Discard('order is gone', { cause: new Error('404') }))).toMatchObject({
      name: 'Discard',
      message: 'order is gone',
      cause: { message: '404' },
    })
    expect(new Snooze('1h').message).toBe('Asked to come back in 1h')
  })

  test.each<() => unknown>([
    () => new RetryAfter('-5s'),
    () => new RetryAfter('soon' as Duration),
    () => new Snooze(new Date(Number.NaN)),
    () => new Snooze(60 as unknown as Duration),
  ])('refuses a bad time where it is thrown: %s', (make) => {
    expect(make).toThrow(/^(RetryAfter|Snooze) .*\[HF_DURATION\]$/)
  })

  test('is recognised when it comes from another copy of the package', async () => {
    const copy = `../../src/model/control.ts?copy=${'2'}`
    const other = (await import(/* @vite-ignore */ copy)) as { Discard: typeof Discard }
    const thrown = new other.Discard('x')
    expect(thrown).not.toBeInstanceOf(Discard)
    expect(isDiscard(thrown)).toBe(true)
  })
})

describe('anything else is an ordinary failure', () => {
  const brand = Symbol.for('holdfast.control')
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  test.each<[string, () => unknown]>([
    ['an error', () => new Error('x')],
    ['undefined', () => undefined],
    ['null', () => null],
    ['a string', () => 'discard'],
    ['an object that looks like one', () => ({ kind: 'discard', name: 'Discard' })],
    ['an unknown kind of a later version', () => ({ [brand]: { kind: 'postpone' } })],
    ['a time of a later version', () => ({ [brand]: { kind: 'snooze', when: { kind: 'tide' } } })],
    ['a negative delay', () => ({ [brand]: { kind: 'snooze', when: { kind: 'delay', ms: -1 } } })],
    ['a missing time', () => ({ [brand]: { kind: 'retry-after' } })],
    ['nothing under the symbol', () => ({ [brand]: null })],
    ['a revoked Proxy', () => revoked.proxy],
  ])('%s', (_, make) => {
    expect(controlOf(make())).toBeUndefined()
  })
})
