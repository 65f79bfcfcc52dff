import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeFailure } from '../../src/model/failure.ts'
import {
  decodeVerdict,
  encodeVerdict,
  errorOfVerdict,
  outcomeOfVerdict,
  type Verdict,
} from '../../src/model/verdict.ts'

const job = { id: '0198c0de-0000-7000-8000-000000000000', run: 3, task: 'spin', failures: 1 }
const kind = fc.constantFrom<Verdict['kind']>('hard-limit', 'stalled', 'blocked', 'exception')

describe('a verdict', () => {
  test('is one line that says the same when it is read, whatever is in it', () => {
    const verdicts = fc.record(
      {
        kind,
        job: fc.constant(job),
        message: fc
          .string({ unit: 'binary', maxLength: 100 })
          .filter((text) => text.isWellFormed() && !text.includes('\0')),
        stack: fc.string({ maxLength: 100 }).filter((text) => !text.includes('\0')),
        blockedMs: fc.nat(),
        final: fc.boolean(),
      },
      { requiredKeys: ['kind', 'message'] },
    )
    fc.assert(
      fc.property(verdicts, (verdict) => {
        const line = encodeVerdict(verdict)
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(decodeVerdict(line)).toEqual(verdict)
      }),
    )
  })

  test('fits into a pipe in one piece, however much there is to say', () => {
    const long = '\u0001'.repeat(100_000)
    const failure = describeFailure(new Error(long, { cause: new Error(long) }))
    const line = encodeVerdict({ kind: 'exception', job, message: long, stack: `    at x\n${long}`, failure })
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16 * 1024 + 1)
    expect(decodeVerdict(line)).toMatchObject({ kind: 'exception', job })
  })

  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"kind":"other","message":"x"}',
    '{"kind":"blocked"}',
    '{"kind":"blocked","message":"x","job":{"id":1}}',
  ])('is not %s', (line) => expect(decodeVerdict(line)).toBeUndefined())

  test.each([
    ['hard-limit', 'HF_HARD_LIMIT'],
    ['stalled', 'HF_STALLED'],
    ['blocked', 'HF_BLOCKED'],
  ] as const)('%s fails its job with %s, and with the place where its code was', (kind, code) => {
    const error = errorOfVerdict({ kind, job, message: 'too long', stack: '    at spin (app.ts:1:2)' })
    expect(describeFailure(error)).toMatchObject({ code, stack: '    at spin (app.ts:1:2)' })
    expect(describeFailure(error).message).toMatch(/^too long/)
    expect(describeFailure(errorOfVerdict({ kind, message: 'x' })).stack).toBeUndefined()
  })

  test('of an exception fails its job with what was thrown', () => {
    const thrown = Object.assign(new RangeError('from a timer'), { code: 'E_OWN' })
    const verdict: Verdict = { kind: 'exception', job, message: 'from a timer', failure: describeFailure(thrown) }
    const read = decodeVerdict(encodeVerdict(verdict)) as Verdict
    expect(describeFailure(outcomeOfVerdict(read).error)).toMatchObject({
      ...{ name: 'RangeError', message: 'from a timer', code: 'E_OWN' },
      stack: expect.stringContaining('verdict.test.ts'),
    })
    expect(describeFailure(outcomeOfVerdict({ kind: 'exception', message: 'bare' }).error)).toMatchObject({
      message: 'bare',
    })
  })
})
