import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../src/model/config.ts'
import { limitOf } from '../../src/model/time-limit.ts'
import type { AppOptions } from '../../src/tasks/app.ts'
import type { QueueOptions } from '../../src/tasks/client.ts'
import { limitTasks } from '../../src/tasks/limits.ts'
import { makerFor } from '../../src/tasks/make.ts'
import { createRegistry } from '../../src/tasks/registry.ts'
import { range } from '../../src/tasks/sources/range.ts'

const jobs = makerFor(new Set(['default', 'short'] as const))
const run = () => {}
const items = () => range(0, 3)
const walk = jobs.iteration({ name: 'walk', items, each: run })
const NOW = new Date('2027-01-01T12:00:00Z')

interface Around {
  readonly defaults?: AppOptions['defaults']
  readonly queue?: QueueOptions
  readonly config?: Parameters<typeof resolveConfig>[0]
}

function limitsOf(tasks: AppOptions['tasks'], { defaults, queue = {}, config }: Around = {}) {
  const queues = new Map<string, QueueOptions>([['default', {}], ['short', queue]]) // biome-ignore format: one line
  const limited = limitTasks(createRegistry(tasks, defaults).tasks, queues, resolveConfig(config), NOW)
  return { ...limited, of: (name: string) => limited.tasks.find((task) => task.name === name)?.timeLimit }
}

describe('the limit of a task', () => {
  test("is the app's default where it says none, and its own where it does: the app's 3 minutes, the task's 10 seconds", () => {
    const restart = { interrupt: 'restart', run } as const
    const found = limitsOf(
      [jobs.task({ name: 'any', ...restart }), jobs.task({ name: 'quick', timeLimit: '10s', ...restart }), walk],
      { defaults: { timeLimit: '3m' } },
    )
    expect(found.of('any')).toEqual({ soft: 180_000, hard: 198_000 })
    expect(found.of('quick')).toEqual({ soft: 10_000, hard: 11_000 })
    expect(found.of('walk')).toEqual({ soft: 180_000, hard: 198_000 })
    expect(found.warnings).toEqual([])
  })

  test('that must finish is at most policy.maxFinish, also when nobody says one', () => {
    const task = jobs.task({ name: 'a', run })
    expect(limitsOf([task]).of('a')).toEqual(limitOf(27_000))
    expect(limitsOf([task], { config: { shutdown: { grace: '10m' } } }).of('a')).toEqual(limitOf(60_000))
    expect(limitsOf([task], { config: { policy: { maxFinish: '5s' } } }).of('a')).toEqual(limitOf(5_000))
    expect(limitsOf([task], { defaults: { timeLimit: '3m' } }).of('a')).toEqual(limitOf(27_000))
    expect(limitsOf([task], { defaults: { timeLimit: '3s' } }).of('a')).toEqual(limitOf(3_000))
    expect(limitsOf([task], { config: { shutdown: { grace: '0s' } } }).of('a')).toEqual(limitOf(60_000))
  })

  test('of what can be interrupted is none where nobody says one', () => {
    const found = limitsOf([walk, jobs.task({ name: 'a', interrupt: 'restart', run })])
    expect([found.of('walk'), found.of('a')]).toEqual([undefined, undefined])
  })

  test("is capped by its queue's, part by part", () => {
    const queue = { timeLimit: { soft: '5s', hard: '20s' } } as const
    const own = (name: string, timeLimit?: '3s' | '10s') =>
      jobs.task({ name, queue: 'short', ...(timeLimit && { timeLimit }), interrupt: 'restart', run })
    const found = limitsOf([own('none'), own('less', '3s'), own('more', '10s')], { queue })
    expect(found.of('none')).toEqual({ soft: 5_000, hard: 20_000 })
    expect(found.of('less')).toEqual({ soft: 3_000, hard: 4_000 })
    expect(found.of('more')).toEqual({ soft: 5_000, hard: 11_000 })
  })
})

describe('a task that must finish and is too long', () => {
  const long = jobs.task({ name: 'long', timeLimit: '10m', run })
  const refusal = (around: Around, tasks = [long]): string => {
    try {
      limitsOf(tasks, around)
    } catch (error) {
      return (error as Error).message
    }
    return 'accepted'
  }

  test('is refused with every cure that applies to it', () => {
    const message = refusal({})
    expect(message).toMatch(/HF_MAX_FINISH/)
    expect(message).toContain('policy.maxFinish is 27s, of a shutdown budget of 27s')
    expect(message).toContain('long: it may take 10m. Lower its timeLimit to 27s')
    for (const cure of ['an iteration', "interrupt: 'restart'", 'shutdown.grace to 11m 7s', 'legacy: { reason'])
      expect(message).toContain(cure)
    expect(refusal({ config: { shutdown: { grace: '667s' }, policy: { maxFinish: '10m' } } })).toBe('accepted')
  })

  test('is told of the budget it could use', () => {
    const message = refusal({ config: { shutdown: { grace: '1h' } } })
    expect(message).toContain('raise policy.maxFinish to 10m: the budget allows it')
    expect(message).not.toContain('shutdown.grace')
  })

  test('that may start only once is not told to restart', () => {
    const once = jobs.task({ name: 'once', delivery: 'at-most-once', timeLimit: '10m', run })
    const message = refusal({}, [once, long] as never)
    expect(message.split('\n').find((line) => line.includes('once:'))).not.toContain('restart')
    expect(message).toContain('long: it may take 10m')
  })

  test('is accepted at the limit, and when its queue keeps it below', () => {
    expect(refusal({}, [jobs.task({ name: 'a', timeLimit: '27s', run })] as never)).toBe('accepted')
    expect(refusal({}, [jobs.task({ name: 'a', timeLimit: { soft: '27s', hard: '28s' }, run })] as never)).toContain(
      '28s',
    )
    const capped = jobs.task({ name: 'a', queue: 'short', timeLimit: '10m', run })
    expect(refusal({ queue: { timeLimit: '10s' } }, [capped] as never)).toBe('accepted')
  })

  test('runs when it is declared legacy, and is named each time, also when its day is over', () => {
    const legacy = (until: string) =>
      jobs.task({ name: 'long', timeLimit: '10m', legacy: { reason: 'a report', until }, run })
    const found = limitsOf([legacy('2027-01-01')])
    expect(found.of('long')).toEqual(limitOf(600_000))
    expect(found.warnings).toEqual([
      'Task long is legacy until 2027-01-01 (a report): it may take 10m, and a deploy that cannot wait cuts it',
    ])
    expect(limitsOf([legacy('2026-12-31')]).warnings[0]).toContain('until 2026-12-31, which is over')
    const needless = jobs.task({ name: 'a', timeLimit: '1s', legacy: { reason: 'x', until: '2028-01-01' }, run })
    expect(limitsOf([needless]).warnings[0]).toContain('need not be')
    const endless = jobs.task({ name: 'a', legacy: { reason: 'x', until: '2028-01-01' }, run })
    expect(limitsOf([endless])).toMatchObject({ warnings: [expect.stringContaining('it has no time limit')] })
    expect(limitsOf([endless]).of('a')).toBeUndefined()
  })

  test('is the only thing that can be legacy', () => {
    const legacy = { reason: 'x', until: '2028-01-01' }
    expect(() => jobs.task({ name: 'a', interrupt: 'restart', legacy, run })).toThrow('only a task that must finish')
  })
})

test('a task that may run for longer than policy.maxRun and cannot resume is named', () => {
  const restart = jobs.task({ name: 'slow', interrupt: 'restart', timeLimit: '1h', run })
  const resumes = jobs.iteration({ name: 'fine', timeLimit: '1h', items, each: run })
  expect(limitsOf([restart, resumes]).warnings).toEqual([
    'Task slow: it may take 1h, longer than policy.maxRun, 15m, and it cannot resume. An iteration could',
  ])
  expect(limitsOf([restart], { config: { policy: { maxRun: '1h' } } }).warnings).toEqual([])
})
