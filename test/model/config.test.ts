import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ConfigOptions, resolveConfig, shutdownBudget } from '../../src/model/config.ts'
import { isHoldfastError } from '../../src/model/errors.ts'

describe('resolveConfig', () => {
  test('has defaults', () => {
    expect(resolveConfig()).toEqual({
      leaseMs: 12_000,
      concurrency: 100,
      pollIntervalMs: 1_000,
      shutdown: {
        mode: 'hand-off',
        signals: { SIGTERM: 'hand-off', SIGINT: 'hand-off' },
        graceMs: 30_000,
        budgetMs: 27_000,
        waitMs: 27_000,
      },
      maxFinishMs: 27_000,
      maxRunMs: 900_000,
      maxUnservedMs: 60_000,
      history: { completed: true, keepMs: 30 * 86_400_000 },
    })
    expect(resolveConfig({ lease: undefined, concurrency: undefined, shutdown: undefined, policy: undefined })).toEqual(
      resolveConfig(),
    )
  })

  test('takes what is given', () => {
    const options: ConfigOptions = {
      lease: '2s',
      concurrency: 1,
      pollInterval: '50ms',
      shutdown: { grace: '2m', mode: 'finish', signals: { SIGINT: 'cold' } },
      policy: { maxFinish: '100s', maxRun: '1h', maxUnserved: '5m' },
      history: { completed: false, keep: '1d' },
    }
    expect(resolveConfig(options)).toEqual({
      leaseMs: 2_000,
      concurrency: 1,
      pollIntervalMs: 50,
      shutdown: {
        mode: 'finish',
        signals: { SIGTERM: 'finish', SIGINT: 'cold' },
        graceMs: 120_000,
        budgetMs: 108_000,
        waitMs: 108_000,
      },
      maxFinishMs: 100_000,
      maxRunMs: 3_600_000,
      maxUnservedMs: 300_000,
      history: { completed: false, keepMs: 86_400_000 },
    })
  })

  test('takes the largest values', () => {
    const largest = { lease: '10m', concurrency: 10_000, pollInterval: '1m', policy: { maxFinish: '27s' } } as const
    expect(resolveConfig(largest)).toMatchObject({ leaseMs: 600_000, concurrency: 10_000, maxFinishMs: 27_000 })
  })

  test('cannot be changed afterwards', () => {
    const config = resolveConfig()
    expect([config, config.shutdown, config.history].every(Object.isFrozen)).toBe(true)
  })

  test.each<[object, string]>([
    [{ concurrency: 0 }, 'concurrency must be a whole number from 1 to 10000, not 0 [HF_CONFIG]'],
    [{ concurrency: -1 }, 'not -1 [HF_CONFIG]'],
    [{ concurrency: 1e9 }, 'not 1000000000 [HF_CONFIG]'],
    [{ concurrency: Number.NaN }, 'not NaN [HF_CONFIG]'],
    [{ concurrency: 2.5 }, 'not 2.5 [HF_CONFIG]'],
    [{ concurrency: '10' }, 'not "10" [HF_CONFIG]'],
    [{ lease: '1999ms' }, 'lease must be a duration from 2s to 10m, not "1999ms" [HF_CONFIG]'],
    [{ lease: '11m' }, 'lease must be a duration from 2s to 10m, not "11m" [HF_CONFIG]'],
    [{ lease: 12_000 }, `lease must be a number and a unit, like '20s' or '1.5h', not 12000 [HF_DURATION]`],
    [{ lease: '-5s' }, 'lease must be a number and a unit'],
    [{ pollInterval: '0s' }, 'pollInterval must be a duration from 50ms to 1m, not "0s" [HF_CONFIG]'],
    [{ pollInterval: '2m' }, 'pollInterval must be a duration'],
    [{ maxInputBytes: 1_024 }, 'maxInputBytes'],
    [{ shutdown: { signals: { SIGINT: 'hot' } } }, 'shutdown.signals.SIGINT'],
    [{ shutdown: { signals: { SIGHUP: 'cold' } } }, 'SIGHUP'],
    [{ shutdown: { grace: '-1s' } }, 'shutdown.grace must be a number and a unit'],
    [{ shutdown: { grace: '8d' } }, 'shutdown.grace must be a duration from 0ms to 7d, not "8d" [HF_CONFIG]'],
    [
      { shutdown: { mode: 'handoff' } },
      `shutdown.mode must be one of hand-off, finish, cold, not "handoff". Did you mean 'hand-off'? [HF_CONFIG]`,
    ],
    [{ shutdown: { mode: 1 } }, 'shutdown.mode must be one of hand-off, finish, cold, not 1. [HF_CONFIG]'],
    [{ shutdown: { gracePeriod: '5s' } }, 'shutdown has no option "gracePeriod".'],
    [{ shutdown: '30s' }, 'shutdown must be an object, not "30s" [HF_CONFIG]'],
    [
      { policy: { maxFinish: '28s' } },
      'policy.maxFinish is "28s", longer than the shutdown budget, 27s of a grace of 30s: raise shutdown.grace [HF_CONFIG]',
    ],
    [{ history: { keep: '23h' } }, 'history.keep must be a duration from 1d to 3650d, not "23h" [HF_CONFIG]'],
    [{ history: { completed: 'no' } }, 'history.completed must be true or false, not "no" [HF_CONFIG]'],
    [{ history: { keeps: '1d' } }, `history has no option "keeps". Did you mean 'keep'? [HF_CONFIG]`],
    [{ policy: [] }, 'policy must be an object, not an array [HF_CONFIG]'],
    [{ concurency: 5 }, `The configuration has no option "concurency". Did you mean 'concurrency'? [HF_CONFIG]`],
    [{ ['x'.repeat(1e6)]: 5 }, 'The configuration has no option "xxx'],
    [JSON.parse('{"__proto__":{}}'), 'The configuration has no option "__proto__". [HF_CONFIG]'],
    [[], 'The configuration must be an object, not an array [HF_CONFIG]'],
  ])('refuses %o', (options, message) => {
    expect(() => resolveConfig(options)).toThrow(message)
  })

  test('takes only what it can work with, whatever is given', () => {
    const value = fc.oneof(fc.anything(), fc.nat(20_000), fc.constantFrom('0s', '3s', '5m', '9d', 'finish', 'cold'))
    const options = fc.record(
      {
        lease: value,
        concurrency: value,
        shutdown: fc.oneof(value, fc.record({ grace: value, mode: value })),
        policy: value,
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(options, (given) => {
        try {
          const { leaseMs, concurrency, shutdown, maxFinishMs } = resolveConfig(given as ConfigOptions)
          expect(leaseMs).toBeGreaterThanOrEqual(2_000)
          expect(concurrency).toBeGreaterThanOrEqual(1)
          expect(maxFinishMs).toBeLessThanOrEqual(shutdown.budgetMs)
        } catch (error) {
          if (!isHoldfastError(error, 'HF_CONFIG') && !isHoldfastError(error, 'HF_DURATION')) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the shutdown budget', () => {
  test.each([
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [1.6, 600, 0, 600],
    [5, 4_000, 0, 4_000],
    [6, 5_000, 5_000, 5_000],
    [10, 9_000, 9_000, 9_000],
    [30, 27_000, 27_000, 27_000],
    [120, 108_000, 108_000, 60_000],
    [600, 540_000, 540_000, 60_000],
  ])(
    'of a grace of %d s is %i ms, %i of them to wait, %i for a task that must finish',
    (grace, budgetMs, waitMs, maxFinishMs) => {
      const config = resolveConfig({ shutdown: { grace: `${grace}s` } })
      expect({ ...config.shutdown, maxFinishMs: config.maxFinishMs }).toMatchObject({ budgetMs, waitMs, maxFinishMs })
    },
  )

  test('leaves at least a second, and a tenth of the grace, before SIGKILL', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 604_800_000 }), (graceMs) => {
        const margin = graceMs - shutdownBudget(graceMs)
        expect(margin).toBeGreaterThanOrEqual(Math.max(1_000, graceMs / 10))
        expect(margin).toBeLessThanOrEqual(Math.max(1_000, graceMs / 10 + 1))
      }),
    )
  })
})
