import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { handOffResumable } from '../../src/deploy/hand-off.ts'
import type { Attempt } from '../../src/engine/attempt.ts'
import type { Worker } from '../../src/engine/worker.ts'
import { range } from '../../src/sources.ts'
import { useStages } from '../support/stage.ts'
import { least, until } from '../support/until.ts'

const stage = useStages()

/** Items that an iteration does after a stop signal, with another job that waits for its slot or without. */
async function itemsAfterStop(crowded: boolean): Promise<number> {
  await using s = await stage()
  const jobs = s.holdfast({ queues: { walks: {} } })
  let items = 0
  const walk = jobs.iteration({
    name: 'walk',
    queue: 'walks',
    checkpoint: 'periodic',
    items: () => range(0, 100_000),
    each: async () => {
      await sleep(10)
      items++
    },
  })
  const worker = await s.start(jobs.app({ tasks: [walk], concurrency: 1 }))
  const { id } = await jobs.enqueue(walk)
  await until(() => items > 3, { what: 'it runs' })
  const next = crowded ? await jobs.enqueue(walk) : undefined
  const before = items
  const { handedOff } = await worker.shutdown()
  expect(handedOff).toBe(1)
  expect(await s.find(id)).toMatchObject({ state: 'ready', items })
  if (next !== undefined) expect(await s.find(next.id)).toMatchObject({ state: 'ready', run: 0 })
  return items - before
}

test('a stop signal where another job waits for a slot: the iteration goes on for a moment', async () => {
  // A second of items; fewer on a machine so slow that nobody can say in time who waits.
  const missing = await least(0, async () => 10 - (await itemsAfterStop(true)))
  expect(missing).toBeLessThan(0)
})

test('a stop signal where nobody waits: the iteration stops at its next item', async () => {
  // The one in work, and one that began before the answer.
  expect(await itemsAfterStop(false)).toBeLessThan(10)
})

/** Runs of two queues, and which of them were asked to stop. */
function fake() {
  const attempts = ['full', 'free'].map(
    (queue) => ({ job: { queue }, task: { interrupt: 'resume' } }) as unknown as Attempt,
  )
  const asked: string[] = []
  const worker = {
    attempts: new Set(attempts),
    isFull: () => true,
    interrupt(which: (attempt: Attempt) => boolean) {
      for (const attempt of attempts)
        if (which(attempt) && !asked.includes(attempt.job.queue)) asked.push(attempt.job.queue)
    },
  } as unknown as Worker
  return { worker, asked }
}

test('a queue that is crowded does not keep the others; it is let go as soon as somebody has room', async () => {
  const { worker, asked } = fake()
  const seen: string[] = []
  let calls = 0
  await handOffResumable(
    worker,
    'deploy',
    async () => {
      seen.push(asked.join())
      return ++calls < 3 ? ['full'] : []
    },
    60_000,
  )
  expect(seen).toEqual(['', 'free', 'free'])
  expect(asked).toEqual(['free', 'full'])
})

test.each([
  ['fails', () => Promise.reject(new Error('gone'))],
  ['does not answer', () => new Promise<never>(() => {})],
])('a database that %s is not waited for', async (_, crowded) => {
  const { worker, asked } = fake()
  await handOffResumable(worker, 'deploy', crowded, 60_000)
  expect(asked).toEqual(['full', 'free'])
})

test('however crowded it is, it ends in time, and at once without any', async () => {
  for (const most of [150, 0]) {
    const { worker, asked } = fake()
    let calls = 0
    await handOffResumable(worker, 'deploy', () => Promise.resolve(calls++ < 0 ? [] : ['full', 'free']), most)
    expect(asked).toEqual(['full', 'free'])
    expect(calls > 0).toBe(most > 0)
  }
})
