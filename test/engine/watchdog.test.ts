import { expect, test } from 'vitest'
import { Stillness } from '../../src/engine/stillness.ts'
import { type HeldJob, Watchdog } from '../../src/engine/watchdog.ts'
import { until } from '../support/until.ts'

const held: HeldJob = {
  job: { id: 'a', run: 1, task: 't', failures: 0 },
  hard: 100,
  policy: { delivery: 'at-least-once', retry: false },
}

/** Watches a loop that turns only when the test lets it, and that shows nobody whose code it runs: as in a system call. */
function watch(answer: () => Promise<readonly HeldJob[]>) {
  const ticks = new Int32Array(new SharedArrayBuffer(4))
  const condemned: unknown[] = []
  const unblocked: unknown[] = []
  new Watchdog({
    ...{ ticks, stillness: new Stillness(), maxBlock: 600_000, supervised: true },
    held: answer,
    rescue: async () => {},
    onUnblocked: (blockage) => unblocked.push(blockage),
    condemn: async (verdict) => void condemned.push(verdict),
  }).start()
  return { turn: () => Atomics.add(ticks, 0, 1), condemned, unblocked }
}

test('a loop that stands still beyond the limit of what it holds is condemned', async () => {
  const { condemned } = watch(async () => [held])
  await until(() => condemned.length > 0, { what: 'it is condemned' })
  expect(condemned).toMatchObject([{ kind: 'hard-limit', job: held.job }])
})

test('a loop that turns again while the database is asked is not condemned', async () => {
  const answer = Promise.withResolvers<readonly HeldJob[]>()
  let asked = 0
  const { turn, condemned, unblocked } = watch(() => {
    asked++
    return answer.promise
  })
  await until(() => asked === 1, { what: 'the database is asked' })
  turn()
  answer.resolve([held])
  await until(() => unblocked.length === 1, { what: 'it sees that the loop turns' })
  expect(condemned).toEqual([])
})
