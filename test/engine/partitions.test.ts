import { expect } from 'vitest'
import { z } from 'zod'
import { array, batches, nested, range, throttled } from '../../src/sources.ts'
import { cancel, pauseJob, resumeJob, retryJob } from '../../src/store/operations.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, gate, test, upTo } from './support.ts'

const stages = useStages()

interface Part {
  id: string
  part: number
}

/** The parts of an iteration, in order; they are forgotten when the last one has completed. */
async function partsOf(stage: Stage, root: string): Promise<Part[]> {
  return stage.sql<Part>('select job as id, part::int from :schema.part where root = $1 order by part', [root])
}

async function allEnded(stage: Stage, count: number): Promise<void> {
  const ended = async () => (await stage.sql('select 1 from :schema.history')).length
  await until(async () => (await ended()) === count, { what: `${count} jobs have ended` })
}

test('`partitions` makes n jobs of one, each with its own part and cursor', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen = new Map<string, number[]>()
  const work = jobs.iteration({
    name: 'work',
    partitions: 4,
    items: (_, { partition }) => range(partition.index, 20, partition.of),
    each(n, { job }) {
      seen.set(job.id, [...(seen.get(job.id) ?? []), n])
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await allEnded(stage, 4)
  expect([...seen.values()].sort(([a = 0], [b = 0]) => a - b)).toEqual(
    upTo(4).map((part) => upTo(5).map((n) => part + 4 * n)),
  )
  expect(seen.has(id)).toBe(true)
  for (const part of seen.keys()) {
    expect(await stage.find(part)).toMatchObject({
      state: 'completed',
      items: 5,
      cursor: { after: seen.get(part)?.at(-1) },
    })
  }
})

test('`items` gets the index and the number of its partition', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const given: unknown[] = []
  const options = { each: () => {} }
  const some = jobs.iteration({
    ...options,
    name: 'some',
    partitions: 3,
    items(_, { partition }) {
      given.push(partition)
      return range(0, 1)
    },
  })
  const one = jobs.iteration({
    ...options,
    name: 'one',
    items(_, { partition }) {
      given.push(partition)
      return range(0, 1)
    },
  })
  await stage.start(jobs.app({ tasks: [some, one] }))
  await jobs.enqueue(some)
  await allEnded(stage, 3)
  expect(given).toHaveLength(3)
  expect(given).toEqual(expect.arrayContaining(upTo(3).map((index) => ({ index, of: 3 }))))
  await stage.ended((await jobs.enqueue(one)).id)
  expect(given.at(-1)).toEqual({ index: 0, of: 1 })
})

test('a new build with another number of partitions leaves jobs under way with theirs', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: string[] = []
  const pause = gate()
  const build = (partitions: number) =>
    jobs.iteration({
      name: 'work',
      partitions,
      items: (_, { partition }) => array([0, 1, 2].map((n) => `${partition.index}/${partition.of}: ${n}`)),
      async each(item, { index }) {
        if (index === 1) await pause.pass()
        seen.push(item)
      },
      done: (_, { count }) => count,
    })
  const old = build(2)
  const first = await stage.start(jobs.app({ tasks: [old] }), { build: 'old' })
  const { id } = await jobs.enqueue(old)
  await pause.reached
  await until(async () => (await partsOf(stage, id)).length === 2, { what: 'it is fanned out' })
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(jobs.app({ tasks: [build(5)] }), { build: 'new' })
  await allEnded(stage, 2)
  expect(seen.sort((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
    '0/2: 0',
    '0/2: 1',
    '0/2: 2',
    '1/2: 0',
    '1/2: 1',
    '1/2: 2',
  ])
})

test('the parts have the input, queue and priority of their job', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const inputs: unknown[] = []
  const work = jobs.iteration({
    name: 'work',
    version: 7,
    input: z.object({ account: z.string() }),
    partitions: 3,
    items(input) {
      inputs.push(input)
      return range(0, 1)
    },
    each: () => {},
  })
  await stage.start(jobs.app({ tasks: [work] }))
  await jobs.enqueue(work, { account: 'a' }, { queue: 'bulk', priority: 2 })
  await allEnded(stage, 3)
  expect(inputs).toEqual([{ account: 'a' }, { account: 'a' }, { account: 'a' }])
  expect(await stage.sql('select distinct queue, priority::int, version::int, task from :schema.history')).toEqual([
    { queue: 'bulk', priority: 2, version: 7, task: 'work' },
  ])
})

test('an interrupted part goes on at its own cursor, and does not fan out again', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: string[] = []
  const pause = gate()
  let waiting = 0
  const work = jobs.iteration({
    name: 'work',
    partitions: 2,
    items: (_, { partition }) => array(upTo(4).map((n) => `${partition.index}.${n}`)),
    async each(item, { index }) {
      if (index === 2 && ++waiting === 2) await pause.pass()
      if (index === 2) await pause.opened
      seen.push(item)
    },
    done: (_, { count }) => count,
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  const parts = await partsOf(stage, id)
  expect(parts).toHaveLength(2)
  for (const part of parts)
    expect(await stage.find(part.id)).toMatchObject({ state: 'ready', items: 3, cursor: { index: 3 } })
  await stage.start(app)
  await allEnded(stage, 2)
  expect(seen.sort((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
    '0.0',
    '0.1',
    '0.2',
    '0.3',
    '1.0',
    '1.1',
    '1.2',
    '1.3',
  ])
})

test('a crash while fanning out leaves no part twice and none out', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: number[] = []
  const work = jobs.iteration({
    name: 'work',
    partitions: 3,
    items: (_, { partition }) => array([partition.index]),
    each: (n) => void seen.push(n),
  })
  const { id } = await jobs.enqueue(work)
  // The fan-out of a run that never came to write anything else, twice: its answer was lost, and its worker with it.
  const { fanOut } = await import('../../src/store/parts.ts')
  await stage.sql(`update :schema.job set state = 1, run = 1 where id = $1`, [id])
  expect(await fanOut(stage.db, { id, run: 1 }, [crypto.randomUUID(), crypto.randomUUID()])).toBe(true)
  expect(await fanOut(stage.db, { id, run: 1 }, [crypto.randomUUID(), crypto.randomUUID()])).toBe(true)
  await stage.sql(`update :schema.job set state = 0 where id = $1`, [id])
  await stage.start(jobs.app({ tasks: [work] }))
  await allEnded(stage, 3)
  expect(seen.sort((a, b) => a - b)).toEqual([0, 1, 2])
  expect(await partsOf(stage, id)).toEqual([])
})

test('`done` runs once, after the last part, with the items of all of them', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const done: object[] = []
  // Ten times, because two parts that end together must not both find themselves the last, nor neither of them.
  const work = jobs.iteration({
    name: 'work',
    partitions: 5,
    items: (_, { partition }) => range(0, partition.index + 1),
    each: () => {},
    done(_, { count }, { job }) {
      done.push({ count })
      return { count, by: job.id }
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  await jobs.enqueueMany(
    work,
    upTo(10).map(() => undefined),
  )
  await allEnded(stage, 50)
  expect(done).toEqual(upTo(10).map(() => ({ count: 15 })))
  expect(await stage.sql('select 1 from :schema.part')).toEqual([])
})

test('a part that fails holds up `done` until it is retried', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let broken = true
  let done = 0
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    partitions: 3,
    items: (_, { partition }) => array(upTo(3).map((n) => [partition.index, n] as const)),
    each([part, n]) {
      if (part === 1 && n === 2 && broken) throw new Error('not this one')
    },
    done: (_, { count }) => {
      done++
      return count
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await allEnded(stage, 3)
  expect(done).toBe(0)
  const failed = (await partsOf(stage, id))[1]
  expect(await stage.find(failed?.id ?? '')).toMatchObject({ state: 'failed', items: 2 })
  broken = false
  await retryJob(stage.db, failed?.id ?? '', crypto.randomUUID())
  expect(await stage.reached(failed?.id ?? '', 'completed')).toMatchObject({ result: 9 })
  expect(done).toBe(1)
})

test('a part may be any source: batches, throttled, nested', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: string[] = []
  const work = jobs.iteration({
    name: 'work',
    partitions: 2,
    items: (_, { partition }) =>
      throttled(
        batches(
          nested(range(partition.index, 4, partition.of), (outer) =>
            array(['a', 'b', 'c'].map((name) => `${outer}${name}`)),
          ),
          2,
        ),
        { limit: 1_000, per: '1s' },
      ),
    each: (batch) => void seen.push(...batch.map(String)),
    done: (_, { count }) => count,
  })
  await stage.start(jobs.app({ tasks: [work] }))
  await jobs.enqueue(work)
  await allEnded(stage, 2)
  expect(seen).toHaveLength(12)
  const results = await stage.sql<{ result: unknown }>(
    `select result from :schema.history where result::text not like '{%'`,
  )
  expect(results).toEqual([{ result: 6 }])
})

test('what is asked of the job that was enqueued is asked of all its parts', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const work = jobs.iteration({
    name: 'work',
    partitions: 3,
    items: () => range(0, 100_000),
    each: () => new Promise((resolve) => setTimeout(resolve, 5)),
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  const by = { reason: 'partner is down', owner: 'ann' }
  const states = async () => {
    const found = await Promise.all((await partsOf(stage, id)).map((part) => stage.find(part.id)))
    return found.map((job) => job?.state)
  }
  await until(async () => (await states()).filter((state) => state === 'running').length === 3, { what: 'three run' })

  await pauseJob(stage.db, id, by, 60_000)
  await until(async () => (await states()).every((state) => state === 'paused'), { what: 'all three rest' })
  const waiting = await stage.sql<{ reason: string }>('select reason from :schema.waiting')
  expect(waiting.map(({ reason }) => reason)).toEqual(Array(3).fill('ann: partner is down'))

  await resumeJob(stage.db, id)
  await until(async () => (await states()).every((state) => state === 'running' || state === 'ready'), {
    what: 'all go on',
  })
  await cancel(stage.db, id, by)
  await until(async () => (await states()).every((state) => state === 'cancelled'), { what: 'all have ended' })
})
