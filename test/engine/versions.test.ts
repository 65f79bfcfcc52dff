import { expect } from 'vitest'
import { z } from 'zod'
import { Discard } from '../../src/index.ts'
import { range } from '../../src/sources.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, gate, test, upTo } from './support.ts'

const stages = useStages()
const First = z.object({ id: z.number() })
const Second = z.object({ order: z.string() })
const Third = z.object({ order: z.string(), at: z.string() })

/** The stored row, wherever it is. */
async function stored(stage: Stage, id: string): Promise<{ version: number; input: unknown } | undefined> {
  const [row] = await stage.sql<{ version: number; input: unknown }>(
    `select version, input from :schema.job where id = $1 union all select version, input from :schema.waiting where id = $1
     union all select version, input from :schema.history where id = $1`.replaceAll('input', 'input::jsonb'),
    [id],
  )
  return row
}

test('what older code enqueued runs under newer code, a step for each version; what is stored stays', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const first = jobs.contract({ name: 'send', input: First })
  const second = jobs.contract({ name: 'send', input: Second, version: 2 })
  const third = jobs.contract({ name: 'send', input: Third, version: 3 })
  const send = third.task({
    upgrade: {
      1: (old: { id: number }) => ({ order: `o${old.id}` }),
      2: async (old: { order: string }) => ({ ...old, at: 'then' }),
    },
    run: (input) => input,
  })
  const ids = [
    await jobs.enqueue(first, { id: 7 }),
    await jobs.enqueue(second, { order: 'x' }),
    await jobs.enqueue(third, { order: 'y', at: 'now' }),
  ]
  const worker = await stage.start(jobs.app({ tasks: [send] }))
  const results = await Promise.all(ids.map(async ({ id }) => (await stage.ended(id)).result))
  expect(results).toEqual([
    { order: 'o7', at: 'then' },
    { order: 'x', at: 'then' },
    { order: 'y', at: 'now' },
  ])
  expect(await stored(stage, ids[0]?.id ?? '')).toEqual({ version: 1, input: { id: 7 } })
  expect(worker.log.filter(({ level }) => level !== 'info')).toEqual([])
})

test('a new client beside old workers: its jobs wait for a worker that takes them, and hold nobody up', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const old = jobs.task({ name: 'send', aliases: ['mail'], input: First, run: () => 'old' })
  const renamed = jobs.contract({ name: 'mail', input: Second, version: 2 })
  const present = jobs.contract({ name: 'send', input: Second, version: 2 })
  const oldWorker = await stage.start(jobs.app({ tasks: [old], pollInterval: '50ms' }), { build: 'old' })
  const waiting = [await jobs.enqueue(present, { order: 'x' }), await jobs.enqueue(renamed, { order: 'y' })]
  const { id } = await jobs.enqueue(old, { id: 1 })
  expect(await stage.ended(id)).toMatchObject({ result: 'old' })
  for (const job of waiting) expect(await stage.find(job.id)).toMatchObject({ state: 'ready', run: 0 })

  const task = present.task({ aliases: ['mail'], upgrade: { 1: () => ({ order: '' }) }, run: () => 'new' })
  await stage.start(jobs.app({ tasks: [task], pollInterval: '50ms' }), { build: 'new' })
  for (const job of waiting)
    expect(await stage.ended(job.id)).toMatchObject({ state: 'completed', result: 'new', run: 1 })
  expect(oldWorker.log.filter(({ level }) => level !== 'info')).toEqual([])
})

test('code that does not say what becomes of older inputs leaves them, and is asked at its start', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const asked = jobs.task({ name: 'asked', input: Second, version: 3, run: () => {} })
  const meant = jobs.task({ name: 'meant', input: Second, version: 2, upgrade: {}, run: () => {} })
  const waiting = await jobs.enqueue(jobs.contract({ name: 'asked', input: First }), { id: 1 })
  const worker = await stage.start(jobs.app({ tasks: [asked, meant], pollInterval: '50ms' }))
  expect(await stage.ended((await jobs.enqueue(asked, { order: 'x' })).id)).toMatchObject({ state: 'completed' })
  expect(await stage.find(waiting.id)).toMatchObject({ state: 'ready', run: 0, failures: 0 })
  expect(worker.log.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
    expect.stringMatching(/^Task asked takes inputs of version 3 alone: jobs of versions 1 to 2 wait/),
  ])
})

test('an upgrade that fails is a failure of its job, and names the versions', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const first = jobs.contract({ name: 'send', input: z.object({ id: z.number() }) })
  const send = jobs.task({
    name: 'send',
    version: 3,
    input: Third,
    retry: false,
    upgrade: {
      1(old: { id: number }) {
        if (old.id === 1) throw new RangeError('there was never a 1')
        if (old.id === 2) throw new Discard('nobody wants it')
        return old
      },
      2: (old: { id: number }) => ({ order: `o${old.id}` }) as { order: string; at: string },
    },
    run: () => 'ran',
  })
  const ids = [1, 2, 3].map((id) => jobs.enqueue(first, { id }))
  await stage.start(jobs.app({ tasks: [send] }))
  const [threw, discarded, unfit] = await Promise.all(ids.map(async (job) => stage.ended((await job).id)))
  expect(threw).toMatchObject({ state: 'failed', error: { code: 'HF_UPGRADE', cause: { name: 'RangeError' } } })
  expect(threw?.error?.message).toMatch(
    /^The input of task send could not be upgraded from version 1 to 2 \(on the way from 1 to 3\): there was never a 1/,
  )
  expect(discarded).toMatchObject({ state: 'failed', error: { message: 'nobody wants it' } })
  expect(unfit).toMatchObject({ state: 'failed', error: { code: 'HF_UPGRADE' } })
  expect(unfit?.error?.message).toMatch(
    /^An input of version 1 was upgraded to 3: The input of task send does not fit.*input\.at/,
  )
})

/** Builds of one iteration: the first counts in plain numbers, the second in steps of an object. */
function builds(stage: Stage) {
  const jobs = stage.holdfast()
  const seen: string[] = []
  const pauses = { first: gate(), second: gate() }
  const plain = jobs.contract({ name: 'walk', input: z.object({ to: z.number() }) })
  const first = plain.iteration({
    items: ({ to }) => range(0, to),
    async each(n) {
      seen.push(`1:${n}`)
      if (n === 1) await pauses.first.pass()
    },
    done: () => 'first',
  })
  const second = jobs.iteration({
    name: 'walk',
    version: 2,
    input: z.object({ until: z.number() }),
    upgrade: { 1: (old: { to: number }) => ({ until: old.to }) },
    upgradeCursor: { 1: ({ after }: { after: number }) => ({ next: after + 1 }) },
    items: ({ until }) => ({
      name: 'steps',
      async *open(cursor) {
        for (let next = (cursor as { next: number } | undefined)?.next ?? 0; next < until; next++)
          yield { item: next, cursor: { next: next + 1 } }
      },
    }),
    async each(n) {
      seen.push(`2:${n}`)
      if (n === 3) await pauses.second.pass()
    },
    done: () => 'second',
  })
  const app = (task: typeof first | typeof second) => jobs.app({ tasks: [task], pollInterval: '50ms' })
  return { jobs, plain, second, seen, pauses, old: app(first), young: app(second) }
}

test('an iteration that older code began goes on under newer code, and never under the older again', async () => {
  await using stage = await stages()
  const { jobs, plain, seen, pauses, old, young } = builds(stage)
  const { id } = await jobs.enqueue(plain, { to: 6 })
  const oldWorker = await stage.start(old)
  await pauses.first.reached
  const leaving = deployOver(oldWorker)
  pauses.first.open()
  await leaving
  expect(await stored(stage, id)).toEqual({ version: 1, input: { to: 6 } })

  const youngWorker = await stage.start(young)
  await pauses.second.reached
  expect(await stored(stage, id)).toEqual({ version: 2, input: { until: 6 } })
  const handing = deployOver(youngWorker)
  pauses.second.open()
  await handing
  expect(await stage.find(id)).toMatchObject({ state: 'ready', cursor: { next: 4 } })

  // The release is taken back: the older code takes what it can, and leaves this one.
  const again = await stage.start(old)
  expect(await stage.ended((await jobs.enqueue(plain, { to: 1 })).id)).toMatchObject({ result: 'first' })
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 2 })
  await deployOver(again)
  await stage.start(young)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: 'second', items: 6, failures: 0 })
  // The one item of the other job is among them.
  expect(seen).toEqual(['1:0', '1:1', '2:2', '2:3', '1:0', '2:4', '2:5'])
})

test('a job that ended its collection, or has no cursor yet, needs no step for it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const pause = gate()
  const plain = jobs.contract({ name: 'walk' })
  let ends = 0
  const first = plain.iteration({
    items: () => range(0, 9),
    each: (n, { end }) => (n === 2 ? end() : undefined),
    async done() {
      ends++
      await pause.pass()
      if (ends === 1) throw new Error('at the very end')
    },
    retry: { limit: 3, backoff: '200ms' },
  })
  const second = jobs.iteration({
    name: 'walk',
    version: 2,
    upgrade: { 1: () => undefined },
    upgradeCursor: {
      1() {
        throw new Error('there is nothing to upgrade')
      },
    },
    items: () => range(0, 9),
    each: () => {},
    done: (_, { count }) => count,
  })
  const { id } = await jobs.enqueue(plain)
  const worker = await stage.start(jobs.app({ tasks: [first] }))
  await pause.reached
  pause.open()
  await stage.reached(id, 'retrying')
  await deployOver(worker)
  const fresh = await jobs.enqueue(plain)
  await stage.start(jobs.app({ tasks: [second], pollInterval: '50ms' }))
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: 3 })
  expect(await stage.ended(fresh.id)).toMatchObject({ state: 'completed', result: 9 })
})

test('a cursor that cannot be upgraded fails the job, and stays as it was', async () => {
  await using stage = await stages()
  const { jobs, plain, pauses, old } = builds(stage)
  const { id } = await jobs.enqueue(plain, { to: 6 })
  const worker = await stage.start(old)
  await pauses.first.reached
  const leaving = deployOver(worker)
  pauses.first.open()
  await leaving
  const { cursor } = (await stage.find(id)) as { cursor: unknown }
  const careless = jobs.iteration({
    name: 'walk',
    version: 2,
    retry: false,
    upgrade: { 1: () => undefined },
    upgradeCursor: { 1: () => undefined },
    items: () => range(0, 6),
    each: () => {},
  })
  await stage.start(jobs.app({ tasks: [careless] }))
  const failed = await stage.ended(id)
  expect(failed).toMatchObject({ state: 'failed', error: { code: 'HF_UPGRADE' }, cursor, items: 2 })
  expect(failed.error?.message).toMatch(/upgradeCursor of iteration walk made nothing of a cursor of version 1/)
  expect(await stored(stage, id)).toEqual({ version: 1, input: { to: 6 } })
})

test('the parts of an iteration are of the version of whoever made them', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const plain = jobs.contract({ name: 'walk', input: z.object({ to: z.number() }) })
  const seen: number[] = []
  const versions: Promise<{ version: number }[]>[] = []
  const second = jobs.iteration({
    name: 'walk',
    version: 2,
    input: z.object({ until: z.number() }),
    upgrade: { 1: (old: { to: number }) => ({ until: old.to }) },
    partitions: 3,
    items: ({ until }, { partition }) => range(partition.index, until, partition.of),
    each(n) {
      versions.push(stage.sql('select version from :schema.job'))
      seen.push(n)
    },
    done: (_, { count }) => count,
  })
  const { id } = await jobs.enqueue(plain, { to: 9 })
  await stage.start(jobs.app({ tasks: [second], pollInterval: '50ms' }))
  await stage.ended(id)
  await until(async () => (await stage.sql('select from :schema.job')).length === 0, { what: 'every part has ended' })
  expect(seen.sort((one, other) => one - other)).toEqual(upTo(9))
  expect(new Set((await Promise.all(versions)).flat().map(({ version }) => version))).toEqual(new Set([2]))
})
