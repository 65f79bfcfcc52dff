import { expect, test } from 'vitest'
import { Attempt } from '../../src/engine/attempt.ts'
import { giveBackTime } from '../../src/engine/lost-time.ts'
import { monotonic } from '../../src/engine/monotonic.ts'

const HOUR = 3_600_000
const stack = '    at spin (app.ts:1:1)'

/** A run that began an hour ago. */
function running(id: string, task: { hard?: number; isolate?: object } = {}): Attempt {
  const { hard, isolate } = task
  const attempt = new Attempt(
    { id, run: 1 } as never,
    { timeLimit: hard === undefined ? undefined : { soft: hard, hard }, isolate } as never,
    {} as never,
  )
  return Object.assign(attempt, { startedAt: monotonic() - HOUR, movedAt: monotonic() - HOUR })
}

test('whoever blocked the loop pays for it, all others get the time back', () => {
  const [culprit, beside, late] = [running('a'), running('b'), running('c')]
  Object.assign(late, { startedAt: monotonic() - 10 })
  const job = { id: 'a', run: 1, task: 't', failures: 0 }
  giveBackTime(new Set([culprit, beside, late]), { ms: 5_000, job, stack })
  expect([culprit.lostTime, beside.lostTime]).toEqual([0, 5_000])
  // It was not there for longer.
  expect(late.lostTime).toBeLessThan(1_000)
  expect(monotonic() - beside.movedAt).toBeLessThan(HOUR)
  expect(monotonic() - culprit.movedAt).toBeGreaterThanOrEqual(HOUR)
})

test('code of no run holds everybody up', () => {
  const alone = running('a')
  giveBackTime(new Set([alone]), { ms: 5_000, job: undefined, stack })
  expect(alone.lostTime).toBe(5_000)
})

test('where nobody could be seen, whoever was alone did it, and no other gets more than its limit back', () => {
  const unseen = { ms: 5_000, job: undefined, stack: undefined }
  const [alone, elsewhere] = [running('a', { hard: 9_000 }), running('b', { hard: 9_000, isolate: {} })]
  giveBackTime(new Set([alone, elsewhere]), unseen)
  expect(alone.lostTime).toBe(0)
  const beside = running('c', { hard: 3_000 })
  for (let time = 0; time < 5; time++) giveBackTime(new Set([alone, beside]), unseen)
  expect([alone.lostTime, beside.lostTime]).toEqual([9_000, 3_000])
})
