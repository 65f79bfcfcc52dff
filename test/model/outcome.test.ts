import { expect, test } from 'vitest'
import { Discard, RetryAfter, Snooze } from '../../src/model/control.ts'
import { outcomeOfThrow } from '../../src/model/outcome.ts'

const error = new Error('boom')
const gone = new Discard('order is gone')
const later = new RetryAfter('90s')

test.each([
  ['an error', error, { kind: 'failed', error, retry: 'policy' }],
  ['undefined', undefined, { kind: 'failed', error: undefined, retry: 'policy' }],
  ['a string', 'boom', { kind: 'failed', error: 'boom', retry: 'policy' }],
  ['Discard', gone, { kind: 'failed', error: gone, retry: 'never' }],
  ['RetryAfter', later, { kind: 'failed', error: later, retry: { kind: 'delay', ms: 90_000 } }],
  ['Snooze', new Snooze('1h'), { kind: 'snoozed', until: { kind: 'delay', ms: 3_600_000 } }],
])('a throw of %s', (_, thrown, outcome) => {
  expect(outcomeOfThrow(thrown)).toEqual(outcome)
})
