import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { Attempt } from '../../src/engine/attempt.ts'
import { Worries } from '../../src/engine/worries.ts'
import { range } from '../../src/sources.ts'
import { showJob } from '../../src/store/reports.ts'
import type { TaskDefinition } from '../../src/tasks/definition.ts'
import { type StagedWorker, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, test } from './support.ts'

const stages = useStages()

/** The worries that a worker has logged. */
function worries({ log }: StagedWorker): unknown[] {
  return log.filter((line) => line['worry'] !== undefined).map(({ worry, job }) => [worry, job])
}

test('three interruptions at the same place are named as soon as the third has happened', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let waiting = 0
  const stuck = jobs.iteration({
    name: 'stuck',
    items: () => range(0, 10),
    prepare: async (n, { signal }) => {
      // Longer than the time between two deploys.
      if (n > 0) {
        waiting++
        await sleep(60_000, undefined, { signal })
      }
      return n
    },
    each: () => {},
  })
  const { id } = await jobs.enqueue(stuck)
  for (const [round, said] of [[], [], [['no-progress', id]]].entries()) {
    const worker = await stage.start(jobs.app({ tasks: [stuck] }))
    await until(() => waiting === round + 1, { what: 'it has saved its first item, and waits in the second' })
    await worker.shutdown({ reason: 'deploy', mode: 'cold' })
    expect(worries(worker), `after round ${round}`).toEqual(said)
    expect(await showJob(stage.db, id)).toMatchObject({ interruptions: round + 1, fruitless: round + 1 })
  }
  // Whoever said so is gone, and its counters with it: who goes on says it again.
  const next = await stage.start(jobs.app({ tasks: [stuck] }))
  expect(await next.logged('at the same place')).toMatchObject({ worry: 'no-progress', job: id, run: 4 })
  expect(next.worries).toEqual({ 'no-progress': 1, 'starts-over': 0, 'runs-long': 0 })
  await next.shutdown({ reason: 'deploy', mode: 'cold' })
})

test('a job that starts over is named before its third start', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const long = jobs.task({
    name: 'long',
    interrupt: 'restart',
    run: (_, { signal }) => sleep(60_000, undefined, { signal }),
  })
  const { id } = await jobs.enqueue(long)
  const log: unknown[][] = []
  for (const _ of [1, 2, 3]) {
    const worker = await stage.start(jobs.app({ tasks: [long] }))
    await stage.reached(id, 'running')
    const atStart = worries(worker)
    await deployOver(worker)
    log.push([atStart.length, worries(worker).length])
  }
  // Said by the worker that was stopped the second time, and by the one that starts it the third time.
  expect(log).toEqual([
    [0, 0],
    [0, 1],
    [1, 2],
  ])
})

test('a job that gets on is never named, however often it is stopped', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const walk = jobs.iteration({
    name: 'walk',
    items: () => range(0, 1_000),
    prepare: (n) => sleep(10, n),
    each: () => {},
  })
  const { id } = await jobs.enqueue(walk)
  for (const round of [1, 2, 3, 4]) {
    const worker = await stage.start(jobs.app({ tasks: [walk] }))
    const before = (await stage.find(id))?.items ?? 0
    await until(async () => ((await stage.find(id))?.items ?? 0) > before, { what: 'it gets on' })
    await deployOver(worker)
    expect(worries(worker), `round ${round}`).toEqual([])
  }
  expect(await showJob(stage.db, id)).toMatchObject({ interruptions: 4, fruitless: 1 })
})

test('a long run is named once, while it runs, unless a stop would cost it nothing', async () => {
  const attempts = new Set(
    (['finish', 'restart', 'resume'] as const).map(
      (interrupt, n) =>
        new Attempt({ id: `${n}`, task: interrupt, run: 1 } as never, { interrupt } as TaskDefinition, {} as never),
    ),
  )
  const said: unknown[] = []
  const worries = new Worries({
    attempts,
    maxRun: 200,
    log: (_, __, data) => said.push((data as { task: string }).task),
  })
  worries.start()
  await until(() => said.length === 2, { what: 'both are named' })
  await sleep(1_100)
  worries.stop()
  expect(said).toEqual(['finish', 'restart'])
  expect(worries.counts).toEqual({ 'no-progress': 0, 'starts-over': 0, 'runs-long': 2 })
})
