import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Death } from '../../src/model/death.ts'
import type { InterruptReason, Outcome } from '../../src/model/outcome.ts'
import { resolveRetry } from '../../src/model/retry.ts'
import { type JobFacts, planSettle, type SettlePlan, stateAfter } from '../../src/model/settle-plan.ts'
import { canMove, isTerminal } from '../../src/model/states.ts'
import type { When } from '../../src/model/when.ts'

const policy = resolveRetry({ limit: 3, backoff: '4s', factor: 2, jitter: 'none' }, 'retry')
const in90s: When = { kind: 'delay', ms: 90_000 }
const error = new TypeError('boom')
const random = () => 0.5

const resumed: JobFacts = { delivery: 'at-least-once', started: false, failures: 0 }
const claimedOnce: JobFacts = { delivery: 'at-most-once', started: false, failures: 0 }
const startedOnce: JobFacts = { delivery: 'at-most-once', started: true, failures: 0 }

const failed = (retry: 'policy' | 'never' | When = 'policy'): Outcome => ({ kind: 'failed', error, retry })
const interrupted = (reason: InterruptReason): Outcome => ({ kind: 'interrupted', reason })
const final = (why: string) => ({ kind: 'fail', why, failure: { name: 'TypeError', message: 'boom' } })
const handBack = (reason: string, counts = true) => ({ kind: 'hand-back', reason, interrupted: counts })
const noReturn = (what: string) => ({
  kind: 'fail',
  why: 'at-most-once',
  failure: { code: 'HF_CONFIG', message: expect.stringContaining(`An at-most-once task ${what}: it cannot come back`) },
})

type Row = [outcome: Outcome, atLeastOnce: object, onceClaimed: object, onceStarted: object]

const completed = { kind: 'complete', result: '{"n":1}' }
const retryIn4s = { kind: 'retry', when: { kind: 'delay', ms: 4_000 }, failure: { message: 'boom' } }
const SEGFAULT = { code: null, signal: 'SIGSEGV', oom: undefined }
const KILLED = { code: null, signal: 'SIGKILL', oom: undefined }
const OUT_OF_MEMORY = { ...KILLED, oom: 'system' } as const
const crashed = (death: Death, alone: boolean): Outcome => ({ kind: 'crashed', death, alone })
const died = { failure: { code: 'HF_CRASHED' } }
const crash = { kind: 'crash', ...died }
const diedOnce = { kind: 'fail', why: 'at-most-once', crashed: true, ...died }
const killed = { reason: 'its process died: killed by SIGKILL', killed: { name: 'Killed', signal: 'SIGKILL' } }
const killedOnce = { kind: 'interrupt', ...killed }
const tooSlow = { failure: { code: 'HF_TIME_LIMIT' } }
const stalled = { failure: { code: 'HF_STALLED' } }
const fault = { failure: { name: 'Interrupted' } }

const table: Row[] = [
  [{ kind: 'completed', result: '{"n":1}' }, completed, completed, completed],
  [failed(), retryIn4s, final('at-most-once'), final('at-most-once')],
  [failed('never'), final('discarded'), final('discarded'), final('discarded')],
  [failed(in90s), { kind: 'retry', when: in90s }, final('at-most-once'), final('at-most-once')],
  [
    { kind: 'snoozed', until: in90s },
    { kind: 'snooze', when: in90s },
    { kind: 'snooze', when: in90s },
    noReturn('threw Snooze'),
  ],
  [
    { kind: 'snoozed', until: in90s, reason: 'down' },
    { kind: 'snooze', reason: 'down' },
    { kind: 'snooze', reason: 'down' },
    noReturn('threw Snooze'),
  ],
  [{ kind: 'yielded' }, { kind: 'yield' }, { kind: 'yield' }, noReturn('left its slot')],
  [{ kind: 'cancelled' }, { kind: 'cancel' }, { kind: 'cancel' }, { kind: 'cancel' }],
  [{ kind: 'expired' }, { kind: 'expire' }, { kind: 'expire' }, { kind: 'expire' }],
  [{ kind: 'lost' }, handBack('lost', false), { kind: 'lose' }, { kind: 'lose' }],
  [crashed(SEGFAULT, false), crash, diedOnce, diedOnce],
  [crashed(SEGFAULT, true), { kind: 'park', reason: expect.stringContaining('SIGSEGV'), ...died }, diedOnce, diedOnce],
  [crashed(OUT_OF_MEMORY, true), { kind: 'park', reason: expect.stringContaining('OOM'), ...died }, diedOnce, diedOnce],
  // Killed from outside: that is no crash, and proves nothing.
  [crashed(KILLED, true), { kind: 'hand-back', interrupted: true, ...killed }, killedOnce, killedOnce],
  [interrupted('deploy'), handBack('deploy'), handBack('deploy'), { kind: 'interrupt', reason: 'deploy' }],
  [interrupted('scale-in'), handBack('scale-in'), handBack('scale-in'), { kind: 'interrupt', reason: 'scale-in' }],
  [interrupted('drain'), handBack('drain'), handBack('drain'), { kind: 'interrupt', reason: 'drain' }],
  [interrupted('pause'), { kind: 'pause' }, { kind: 'pause' }, { kind: 'interrupt', reason: 'pause' }],
  [interrupted('cancel'), { kind: 'cancel' }, { kind: 'cancel' }, { kind: 'cancel' }],
  [interrupted('lease-lost'), { kind: 'nothing' }, { kind: 'nothing' }, { kind: 'nothing' }],
  [interrupted('replace'), handBack('replace'), handBack('replace'), { kind: 'interrupt', reason: 'replace' }],
  [interrupted('stall'), { kind: 'retry', ...stalled }, { kind: 'fail', ...stalled }, { kind: 'fail', ...stalled }],
  [interrupted('fault'), { kind: 'retry', ...fault }, { kind: 'fail', ...fault }, { kind: 'fail', ...fault }],
  [interrupted('limit'), { kind: 'retry', ...tooSlow }, { kind: 'fail', ...tooSlow }, { kind: 'fail', ...tooSlow }],
]

describe('what is written after a run', () => {
  describe.each(table)('%o', (outcome, atLeastOnce, onceClaimed, onceStarted) => {
    test.each([
      ['at-least-once', resumed, atLeastOnce],
      ['at-most-once, claimed', claimedOnce, onceClaimed],
      ['at-most-once, started', startedOnce, onceStarted],
    ])('%s', (_, job, plan) => {
      expect(planSettle(job, outcome, policy, random)).toMatchObject(plan)
    })
  })

  test('the table has every outcome and every reason', () => {
    expect(new Set(table.map(([outcome]) => outcome.kind)).size).toBe(9)
    expect(table.filter(([outcome]) => outcome.kind === 'interrupted')).toHaveLength(10)
  })
})

describe('failures of an at-least-once job', () => {
  const after = (failures: number, outcome: Outcome = failed(), retry = policy) =>
    planSettle({ ...resumed, failures }, outcome, retry, random)

  test('wait longer each time, until the limit', () => {
    expect([0, 1, 2].map((failures) => after(failures))).toMatchObject(
      [4_000, 8_000, 16_000].map((ms) => ({ kind: 'retry', when: { kind: 'delay', ms } })),
    )
    expect(after(3)).toMatchObject(final('limit'))
  })

  test('draw their wait from the given chance', () => {
    const plan = after(0, failed(), resolveRetry({ backoff: '10s' }, 'retry'))
    expect(plan).toMatchObject({ kind: 'retry', when: { kind: 'delay', ms: 5_000 } })
  })

  test('are final at once without retries, or when the policy does not list them', () => {
    expect(after(0, failed(), false)).toMatchObject(final('no-retries'))
    expect(after(0, failed(in90s), false)).toMatchObject(final('no-retries'))
    expect(after(0, failed(), resolveRetry({ on: [RangeError] }, 'retry'))).toMatchObject(final('not-listed'))
  })

  test('of which the code says when to retry are not asked against the list, but count against the limit', () => {
    const listed = resolveRetry({ on: [RangeError], limit: 3 }, 'retry')
    expect(after(2, failed(in90s), listed)).toMatchObject({ kind: 'retry', when: in90s })
    expect(after(3, failed(in90s), listed)).toMatchObject(final('limit'))
  })

  test('report a retry policy that throws', () => {
    const broken = new Error('predicate')
    const throwing = resolveRetry({ on: () => { throw broken } }, 'retry') // biome-ignore format: one line
    expect(after(0, failed(), throwing)).toMatchObject({ ...final('predicate-failed'), report: broken })
    expect(after(0)).not.toHaveProperty('report')
  })

  test('are described, whatever was thrown', () => {
    const plan = after(0, { kind: 'failed', error: undefined, retry: 'never' })
    expect(plan).toMatchObject({ kind: 'fail', failure: { name: 'Thrown undefined' } })
  })
})

describe('any outcome of any job', () => {
  const when: fc.Arbitrary<When> = fc.constant(in90s)
  const reason = fc.constantFrom<InterruptReason>(
    'deploy',
    'scale-in',
    'drain',
    'replace',
    'limit',
    'stall',
    'fault',
    'cancel',
    'pause',
    'lease-lost',
  )
  const death: fc.Arbitrary<Death> = fc.oneof(
    fc.record({ code: fc.nat(255), signal: fc.constant(null), oom: fc.constantFrom(undefined, 'heap' as const) }),
    fc.record({
      code: fc.constant(null),
      signal: fc.constantFrom('SIGSEGV', 'SIGABRT', 'SIGTERM'),
      oom: fc.constant(undefined),
    }),
    fc.constantFrom(KILLED, OUT_OF_MEMORY, { ...KILLED, oom: 'unknown' as const }),
  )
  const outcome: fc.Arbitrary<Outcome> = fc.oneof(
    fc.record({ kind: fc.constant('completed' as const), result: fc.constant(null) }),
    fc.record({ kind: fc.constantFrom('yielded' as const, 'cancelled' as const, 'lost' as const, 'expired' as const) }),
    fc.record({ kind: fc.constant('snoozed' as const), until: when, reason: fc.string() }),
    fc.record({
      kind: fc.constant('failed' as const),
      error: fc.anything(),
      retry: fc.oneof(when, fc.constantFrom('policy' as const, 'never' as const)),
    }),
    fc.record({ kind: fc.constant('interrupted' as const), reason }),
    fc.record({ kind: fc.constant('crashed' as const), death, alone: fc.boolean() }),
  )
  const job: fc.Arbitrary<JobFacts> = fc.record({
    delivery: fc.constantFrom('at-least-once' as const, 'at-most-once' as const),
    started: fc.boolean(),
    failures: fc.nat(20),
  })
  const retry = fc.constantFrom(policy, false as const)

  function check(property: (job: JobFacts, outcome: Outcome, plan: SettlePlan) => void): void {
    fc.assert(
      fc.property(job, outcome, retry, (given, ended, chosen) => {
        // Only code that has begun can take its process with it.
        const facts = ended.kind === 'crashed' ? { ...given, started: true } : given
        property(facts, ended, planSettle(facts, ended, chosen, random))
      }),
      { numRuns: 1_000 },
    )
  }

  test('is settled by a legal transition', () => {
    check(({ delivery, started }, _, plan) => {
      const state = stateAfter(plan)
      const from = delivery === 'at-most-once' && started ? 'started' : 'running'
      if (state !== undefined) expect(canMove(from, state), `${from} → ${state}`).toBe(true)
    })
  })

  test('ends an at-most-once job that has started', () => {
    check(({ delivery, started }, _, plan) => {
      const state = stateAfter(plan)
      if (delivery === 'at-most-once' && started && state !== undefined) expect(isTerminal(state)).toBe(true)
    })
  })

  test('counts an interruption and not a failure, when a worker must go', () => {
    check((facts, ended, plan) => {
      // A process that somebody killed had to go, too.
      const mustGo =
        ended.kind === 'crashed'
          ? ended.death.signal === 'SIGKILL' && ended.death.oom !== 'system'
          : ended.kind === 'interrupted' && ['deploy', 'scale-in', 'drain', 'replace'].includes(ended.reason)
      if (mustGo) expect(['hand-back', 'interrupt']).toContain(plan.kind)
      expect(plan.kind === 'hand-back' && plan.interrupted).toBe(
        mustGo && !(facts.delivery === 'at-most-once' && facts.started),
      )
    })
  })
})
