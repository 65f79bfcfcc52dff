import { expect } from 'vitest'
import { z } from 'zod'
import { Discard, Snooze, type Source } from '../../src/index.ts'
import { array, batches, range, rows } from '../../src/sources.ts'
import { retryJob } from '../../src/store/operations.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, type Gate, gate, test, upTo } from './support.ts'

const stages = useStages()

test('works through a collection, one `each` an item, and completes', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: number[] = []
  const work = jobs.iteration({ name: 'work', items: () => range(0, 5), each: (n) => void seen.push(n) })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, items: 5, total: 5, cursor: { after: 4 } })
  expect(seen).toEqual([0, 1, 2, 3, 4])
})

test('an interrupted job goes on after its last finished item, on another worker', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: number[] = []
  const third = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 6),
    async each(n) {
      if (n === 3) await third.pass()
      seen.push(n)
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await third.reached
  const leaving = deployOver(first)
  third.open()
  await leaving
  expect(await stage.find(id)).toMatchObject({ state: 'ready', items: 4, cursor: { after: 3 } })
  await stage.start(app)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 2, items: 6 })
  expect(seen).toEqual([0, 1, 2, 3, 4, 5])
})

test('asks after every item whether to stop', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    const seen: number[] = []
    let round: { stop: () => void; started: Gate } | undefined
    const work = jobs.iteration({
      name: checkpoint,
      checkpoint,
      items: () => range(0, 100),
      async each(n) {
        seen.push(n)
        if (n % 7 !== 6) return
        await round?.started.opened
        round?.stop()
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    const app = jobs.app({ tasks: [work] })
    const { id } = await jobs.enqueue(work)
    for (let stops = 1; stops <= 3; stops++) {
      const { promise: left, resolve } = Promise.withResolvers<void>()
      round = { started: gate(), stop: () => void deployOver(worker).then(resolve) }
      const worker = await stage.start(app)
      round.started.open()
      await left
      expect(await stage.find(id), checkpoint).toMatchObject({ state: 'ready', items: stops * 7 })
      expect(seen).toEqual(upTo(stops * 7))
    }
  }
})

test('the input reaches `start`, `items` and `done` of every run unchanged', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: [string, unknown][] = []
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    input: z.object({ since: z.iso.datetime().transform((text) => new Date(text)), of: z.number().default(2) }),
    start: (input) => void seen.push(['start', input]),
    items(input) {
      seen.push(['items', input])
      return range(0, input.of)
    },
    each: (n) => (n === 1 ? pause.pass() : undefined),
    done: (input) => void seen.push(['done', input]),
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work, { since: '2026-01-02T03:04:05Z', of: 3 })
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(app)
  await stage.ended(id)
  const parsed = { since: new Date('2026-01-02T03:04:05Z'), of: 3 }
  expect(seen).toStrictEqual([
    ['start', parsed],
    ['items', parsed],
    ['items', parsed],
    ['done', parsed],
  ])
})

test('an iteration without an input needs none', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const given: unknown[] = []
  const work = jobs.iteration({
    name: 'work',
    items(input) {
      given.push(input)
      return range(0, 1)
    },
    each: () => {},
  })
  await stage.start(jobs.app({ tasks: [work] }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({ state: 'completed' })
  expect(given).toEqual([undefined])
  await expect(jobs.enqueue(work, 'some' as never)).rejects.toMatchObject({ code: 'HF_INPUT' })
})

test('`each` gets the item and its index, not the cursor', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: unknown[] = []
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => array(['a', 'b', 'c']),
    async each(item, ctx) {
      seen.push([item, ctx.index, 'cursor' in ctx])
      if (item === 'a') await pause.pass()
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(app)
  await stage.ended(id)
  expect(seen).toEqual([
    ['a', 0, false],
    ['b', 1, false],
    ['c', 2, false],
  ])
})

test('what is no source fails the job with a message that says what to write', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const wrong: unknown[] = [[1, 2], undefined, null, 'items', new Set([1]), { open() {} }]
  let index = 0
  const work = jobs.iteration({ name: 'work', retry: false, items: () => wrong[index] as never, each: () => {} })
  await stage.start(jobs.app({ tasks: [work] }))
  for (; index < wrong.length; index++) {
    const job = await stage.ended((await jobs.enqueue(work)).id)
    expect(job, String(wrong[index])).toMatchObject({ state: 'failed', error: { code: 'HF_CONFIG' } })
    expect(job.error?.message).toMatch(/items of iteration work gives must be a source, like array\(…\).*not /)
  }
})

test('an empty collection completes the job, with `done`', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const work = jobs.iteration({
    name: 'work',
    items: () => array([]),
    each: () => {},
    done: (_, { count }) => `${count} items`,
  })
  await stage.start(jobs.app({ tasks: [work] }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({ state: 'completed', result: '0 items' })
})

test('`start` runs before the first item of the first run, and not after a resume', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: unknown[] = []
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    start: async () => {
      await Promise.resolve()
      seen.push('start')
    },
    items: () => range(0, 3),
    async each(n) {
      seen.push(n)
      if (n === 0) await pause.pass()
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(app)
  await stage.ended(id)
  expect(seen).toEqual(['start', 0, 1, 2])
})

test('`done` runs once, after the last item, and gives the result', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: unknown[] = []
  const work = jobs.iteration({
    name: 'work',
    retry: { backoff: '0ms' },
    items: () => range(0, 3),
    each: (n, { job }) => {
      if (n === 2 && job.failures === 0) throw new Error('once')
      seen.push(n)
    },
    done(_, { count }, { job }) {
      seen.push('done')
      return { count, run: job.run }
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: { count: 3, run: 2 } })
  expect(seen).toEqual([0, 1, 2, 'done'])
})

test('closes the source before the job is given back, however the run ends', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let id = ''
  let closedIn: unknown[] = []
  const source: Source<number> = {
    name: 'opened',
    async *open() {
      try {
        for (let n = 0; n < 3; n++) yield { item: n, cursor: { n } }
      } finally {
        await new Promise((resolve) => setTimeout(resolve, 20))
        closedIn.push((await stage.find(id))?.state)
      }
    },
  }
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    let middle = gate()
    const how = { now: 'throw' }
    const work = jobs.iteration({
      name: checkpoint,
      checkpoint,
      concurrency: 2,
      retry: false,
      items: () => source,
      async each(n) {
        if (n !== 1) return
        await middle.pass()
        if (how.now === 'throw') throw new Error('thrown')
        if (how.now === 'snooze') throw new Snooze('1h')
      },
    })
    for (how.now of ['throw', 'snooze', 'stop', 'end']) {
      closedIn = []
      middle = gate()
      const worker = await stage.start(jobs.app({ tasks: [work] }))
      id = (await jobs.enqueue(work)).id
      await middle.reached
      const leaving = how.now === 'stop' ? deployOver(worker) : undefined
      middle.open()
      await until(async () => (await stage.find(id))?.state !== 'running' && closedIn.length > 0, {
        what: () => `it has ended: ${String(how.now)} ${String(closedIn)} ${String(checkpoint)}`,
      })
      expect(closedIn, `${checkpoint} ${how.now}`).toEqual(['running'])
      await (leaving ?? deployOver(worker))
      await jobs.cancel(id)
    }
  }
})

test('`each` may end the collection early: the job completes, and `done` runs', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const [checkpoint, concurrency] of [
    ['transactional', 1],
    ['transactional', 4],
    ['periodic', 1],
    ['periodic', 4],
  ] as const) {
    const seen: number[] = []
    const work = jobs.iteration({
      name: `${checkpoint}-${concurrency}`,
      checkpoint,
      concurrency,
      items: () => range(0, 1_000),
      each(n, { end }) {
        seen.push(n)
        if (n === 3) end()
      },
      done: (_, { count }) => count,
    })
    await stage.start(jobs.app({ tasks: [work] }))
    const { id } = await jobs.enqueue(work)
    expect(await stage.ended(id), work.name).toMatchObject({ state: 'completed', result: 4, items: 4 })
    // In work beside it may be as many as run at the same time.
    expect(seen.length).toBeLessThanOrEqual(4 + concurrency - 1)
  }
})

test('Discard from `each` ends the job at once, without `done`', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let done = 0
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 5),
    each(n) {
      if (n === 2) throw new Discard('no such account')
    },
    done: () => void done++,
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const job = await stage.ended((await jobs.enqueue(work)).id)
  expect(job).toMatchObject({ state: 'failed', items: 2, error: { message: 'no such account', final: 'discarded' } })
  expect(done).toBe(0)
})

test('a failed item is tried again, those before it are not', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    const seen: number[] = []
    const work = jobs.iteration({
      name: checkpoint,
      checkpoint,
      retry: { limit: 2, backoff: '0ms' },
      items: () => range(0, 5),
      each(n, { job }) {
        seen.push(n)
        if (n === 3 && job.failures < 2) throw new Error('not yet')
      },
    })
    await stage.start(jobs.app({ tasks: [work] }))
    const { id } = await jobs.enqueue(work)
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 2, run: 3 })
    expect(seen, checkpoint).toEqual([0, 1, 2, 3, 3, 3, 4])
  }
})

test('fails for good when its retries are used up, and keeps its cursor for a manual retry', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: number[] = []
  let broken = true
  const work = jobs.iteration({
    name: 'work',
    retry: { limit: 1, backoff: '0ms' },
    items: () => batches(range(0, 9), 3),
    each([n = -1]) {
      seen.push(n)
      if (n === 3 && broken) throw new Error('the API is gone')
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  const failed = await stage.ended(id)
  expect(failed).toMatchObject({ state: 'failed', failures: 2, items: 1, cursor: { after: 2 } })
  // The error names the item, and where the source stands.
  expect(failed.error).toMatchObject({ message: 'the API is gone', final: 'limit' })
  expect(failed.error?.where).toMatch(/^item 1 of range 0 to 9, in batches of 3 /)
  broken = false
  expect(await retryJob(stage.db, id, crypto.randomUUID())).toMatchObject({ id })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 3 })
  expect(seen).toEqual([0, 3, 3, 3, 6])
})

test('a batch of keys is updated by one statement, together with the cursor', async () => {
  await using stage = await stages()
  await stage.sql(`create table account_${stage.schema} as select id, 0 as touched from generate_series(1, 25) id`)
  const jobs = stage.holdfast()
  const table = `account_${stage.schema}`
  const work = jobs.iteration({
    name: 'work',
    retry: { backoff: '0ms' },
    items: () => batches(rows<{ id: number }>(`select id from ${table}`, { key: 'id' }), 10),
    async each(batch, { tx, index, job }) {
      const ids = batch.map(({ id }) => id)
      const { rowCount } = await tx.query(`update ${table} set touched = touched + 1 where id = any($1)`, [ids])
      expect(rowCount).toBe(index === 2 ? 5 : 10)
      if (index === 1 && job.failures === 0) throw new Error('after the update')
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({ state: 'completed', items: 3, failures: 1 })
  expect(await stage.sql(`select distinct touched from ${table}`)).toEqual([{ touched: 1 }])
})

test('a source without positions is opened at null and goes on', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const queue = upTo(6)
  const opened: unknown[] = []
  const pause = gate()
  const popped: Source<number> = {
    name: 'a queue elsewhere',
    async *open(cursor) {
      opened.push(cursor)
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) yield { item, cursor: null }
    },
  }
  const seen: number[] = []
  const work = jobs.iteration({
    name: 'work',
    items: () => popped,
    async each(n) {
      seen.push(n)
      if (n === 2) await pause.pass()
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(app)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 6 })
  expect(opened).toEqual([undefined, null])
  expect(seen).toEqual(upTo(6))
})
