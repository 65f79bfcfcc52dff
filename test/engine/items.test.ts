import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Source } from '../../src/index.ts'
import { range } from '../../src/sources.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { gate, test, upTo } from './support.ts'

const stages = useStages()

test('`prepare` works ahead on several items, outside of any transaction; `each` gets the results in order', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let running = 0
  let most = 0
  const open: number[] = []
  const seen: unknown[] = []
  const work = jobs.iteration({
    name: 'work',
    concurrency: 4,
    items: () => range(0, 20),
    async prepare(n, ctx) {
      most = Math.max(most, ++running)
      expect(ctx).not.toHaveProperty('tx')
      // The later ones are ready first.
      await sleep(n % 4 === 0 ? 40 : 5)
      if (n === 0) {
        const inside = `select 1 from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'
          and query like '%stage_items%'`
        open.push((await stage.sql(inside)).length)
      }
      running--
      return `ready ${n}`
    },
    async each(ready, { index, tx }) {
      await tx.query(`select 'stage_items'`)
      seen.push([index, ready])
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({ state: 'completed', items: 20 })
  expect(seen).toEqual(upTo(20).map((n) => [n, `ready ${n}`]))
  expect(most).toBe(4)
  expect(open).toEqual([0])
})

test('a `prepare` that fails does not undo the items before it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const how of ['at once', 'later'] as const) {
    const seen: number[] = []
    const work = jobs.iteration({
      name: how.replace(' ', '-'),
      concurrency: 4,
      retry: false,
      items: () => range(0, 9),
      prepare(n) {
        if (n === 3 && how === 'at once') throw new Error('no price')
        return n === 3 ? sleep(1).then(() => Promise.reject(new Error('no price'))) : sleep(n < 3 ? 30 - 10 * n : 1, n)
      },
      each: (n) => void seen.push(n as number),
    })
    await stage.start(jobs.app({ tasks: [work] }))
    const job = await stage.ended((await jobs.enqueue(work)).id)
    expect(job, how).toMatchObject({ state: 'failed', items: 3, error: { message: 'no price' } })
    expect(job.error?.where).toContain('item 3 of range 0 to 9')
    expect(seen).toEqual([0, 1, 2])
  }
})

test('with several items in work, the saved cursor never passes an unfinished one', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: number[] = []
  const slow = gate()
  const work = jobs.iteration({
    name: 'work',
    checkpoint: 'periodic',
    concurrency: 3,
    items: () => range(0, 30),
    async each(n) {
      if (n === 12) await slow.pass()
      else await sleep(n < 12 ? 300 : 1)
      seen.push(n)
    },
  })
  const app = jobs.app({ tasks: [work], lease: '2s', shutdown: { grace: '2s' } })
  const first = await stage.start(app, { exits: true })
  const { id } = await jobs.enqueue(work)
  await slow.reached
  await until(() => seen.includes(14), { what: 'the ones beside it are done' })
  await sleep(100)
  expect(seen).toEqual(expect.arrayContaining([...upTo(12), 13, 14]))
  expect(seen).not.toContain(15)
  const saved = (await stage.find(id))?.items
  expect(saved).toBeGreaterThan(0)
  expect(saved).toBeLessThanOrEqual(12)
  // The worker is lost with that item in work: what was done beside it is done again, nothing is passed over.
  await first.shutdown({ mode: 'cold' })
  await stage.start(app)
  await until(async () => (await stage.find(id))?.run === 2, { what: 'another worker has it' })
  slow.open()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 30, losses: 1 })
  expect(new Set(seen).size).toBe(30)
  expect(seen.filter((n) => n === 13)).toHaveLength(2)
})

test('progress: items, total and rate are there while it runs', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const half = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 40),
    async each(n, { progress }) {
      // The count is the engine's: what an item says cannot move the saved place.
      progress(1_000, 2_000)
      await (n === 20 ? half.pass() : sleep(5))
    },
    done: (_, { count }) => count,
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await half.reached
  await sleep(1_200) // progress that code reports is written once a second
  const [row] = await stage.sql<{ rate: number }>('select rate from :schema.checkpoint')
  expect(await stage.find(id)).toMatchObject({ items: 20, total: 40, cursor: { after: 19 } })
  expect(row?.rate).toBeGreaterThan(1)
  expect(row?.rate).toBeLessThan(200) // each takes 5 ms
  half.open()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 40, total: 40, result: 40 })
})

test('a task tells its progress, whatever it says', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const half = gate()
  const work = jobs.task({
    name: 'work',
    async run(_, { progress }) {
      for (const wrong of [Number.NaN, -1, 1e300, 'x', undefined]) progress(wrong as number, wrong as number)
      progress(7.9, 10)
      await half.pass()
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await until(async () => (await stage.find(id))?.items === 7, { what: 'it is written' })
  expect(await stage.find(id)).toMatchObject({ total: 10 })
  half.open()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  expect(await stage.sql('select 1 from :schema.checkpoint')).toEqual([])
})

test('a cursor that is no JSON is refused while its item is undone', async () => {
  await using stage = await stages()
  await stage.sql(`create table cursor_${stage.schema} (n int)`)
  const jobs = stage.holdfast()
  const cursors: [unknown, RegExp][] = [
    [new Map(), /cursor of .* is a Map/],
    [{ at: 1n }, /\.at is a bigint/],
    [{ at: new Date() }, /\.at is a Date/],
    [undefined, /is undefined/],
    ['x'.repeat(70_000), /65536/],
  ]
  let cursor: unknown
  const source: Source<number> = {
    name: 'made by hand',
    async *open() {
      yield { item: 0, cursor: 'fine' }
      yield { item: 1, cursor }
    },
  }
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    items: () => source,
    async each(n, { tx }) {
      await tx.query(`insert into cursor_${stage.schema} values ($1)`, [n])
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  for (const [wrong, says] of cursors) {
    cursor = wrong
    const job = await stage.ended((await jobs.enqueue(work)).id)
    expect(job).toMatchObject({ state: 'failed', items: 1, cursor: 'fine', error: { code: 'HF_CURSOR' } })
    expect(job.error?.message).toMatch(says)
    expect(job.error?.where).toContain('item 1 of made by hand')
  }
  expect(await stage.sql(`select n, count(*)::int from cursor_${stage.schema} group by n`)).toEqual([
    { n: 0, count: cursors.length },
  ])
})

test('a source that just ends when its signal aborts has not come to its end', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    for (const concurrency of [1, 3]) {
      const waiting = gate()
      const source: Source<number> = {
        name: 'polite',
        async *open(cursor, { signal }) {
          for (let n = Number(cursor ?? 0); n < 10; n++) {
            if (n === 5) {
              void waiting.pass()
              await new Promise<void>((resolve) => {
                signal.addEventListener('abort', () => resolve())
                if (signal.aborted) resolve()
              })
            }
            if (signal.aborted) return
            yield { item: n, cursor: n + 1 }
          }
        },
      }
      const work = jobs.iteration({
        name: `${checkpoint}-${concurrency}`,
        checkpoint,
        concurrency,
        items: () => source,
        each: () => {},
      })
      const worker = await stage.start(jobs.app({ tasks: [work] }))
      const { id } = await jobs.enqueue(work)
      await waiting.reached
      await worker.shutdown({ mode: 'cold' })
      expect((await stage.find(id))?.state, work.name).toBe('ready')
    }
  }
})
