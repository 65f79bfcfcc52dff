import { expect, test, vi } from 'vitest'
import { Upkeep } from '../../src/engine/upkeep.ts'
import { FIRST_PROGRESS } from '../../src/store/partitions.ts'
import { until } from '../support/until.ts'
import { fakeDatabase } from './fake-database.ts'

test('a sweep that found more stragglers than it may lift at once goes on where it began, until none is left', async () => {
  let late = 2_500
  const sweeps: unknown[] = []
  const fake = fakeDatabase(({ name, values }) => {
    // The next sweep begins above what this one was to lift.
    if (name === 'raise_floor') return [{ floor: String(sweeps.length === 0 ? 7 : 9_999) }]
    if (name !== 'lift_stragglers') return []
    const [floor, most] = values as [number, number]
    const jobs = Math.min(floor === 7 ? late : 0, most)
    late -= jobs
    sweeps.push([floor, jobs])
    return jobs === 0 ? [] : [{ queue: 'q', jobs }]
  })
  const upkeep = new Upkeep({
    ...{ db: fake.db, lease: 60_000, keep: 60_000 },
    ...{ onReady: () => {}, onRevoked: () => {}, onTrouble: () => {} },
  })
  upkeep.start()
  await until(() => fake.of('raise_floor').length === 2, { what: 'a second sweep' })
  await upkeep.stop()
  expect(sweeps.slice(0, 3)).toEqual([
    [7, 1_000],
    [7, 1_000],
    [7, 500],
  ])
})

test('each minute, a few more rows of progress are looked at, from where the last look ended', async () => {
  vi.useFakeTimers()
  const fake = fakeDatabase(({ name, values }) =>
    name === 'forget_progress' ? [{ last: `after ${String(values[0])}`, looked: values[1] }] : [],
  )
  const upkeep = new Upkeep({
    ...{ db: fake.db, lease: 60_000, keep: 60_000 },
    ...{ onReady: () => {}, onRevoked: () => {}, onTrouble: () => {} },
  })
  upkeep.start()
  await vi.advanceTimersByTimeAsync(85_000)
  const stopped = upkeep.stop()
  vi.useRealTimers()
  await stopped
  expect(fake.of('forget_progress').map(({ values }) => values[0])).toEqual([FIRST_PROGRESS, `after ${FIRST_PROGRESS}`])
})
