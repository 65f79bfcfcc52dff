import pg from 'pg'
import { expect } from 'vitest'
import { z } from 'zod'
import { Enqueuer } from '../../src/engine/enqueue.ts'
import { holdfast, type Transactions } from '../../src/index.ts'
import { createDatabase } from '../support/database.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { fakeDatabase } from './fake-database.ts'
import { gate, test, upTo } from './support.ts'

const stages = useStages()

async function connect(url: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

async function jobIds(stage: Stage): Promise<string[]> {
  return (await stage.sql<{ id: string }>('select id from :schema.job order by id')).map(({ id }) => id)
}

test('inside a transaction of the caller: the job exists if it commits, and not before', async () => {
  await using stage = await stages()
  await using tx = await connect(stage.database)
  const jobs = stage.holdfast()
  const task = jobs.task({ name: 'task', run() {} })
  await tx.query('begin')
  const first = await jobs.enqueue(task, undefined, { tx })
  const many = await jobs.enqueueMany(
    task,
    upTo(2_500).map(() => undefined),
    { tx },
  )
  const later = await jobs.enqueue(task, undefined, { tx, after: '1h' })
  expect(many).toEqual({ created: 2_500 })
  expect(await jobIds(stage)).toEqual([])
  await tx.query('commit')
  expect(await jobIds(stage)).toHaveLength(2_501)
  expect(await stage.find(first.id)).toMatchObject({ state: 'ready' })
  expect(await stage.find(later.id)).toMatchObject({ state: 'scheduled' })

  await tx.query('begin')
  const gone = await jobs.enqueue(task, undefined, { tx })
  await tx.query('rollback')
  expect(await stage.find(gone.id)).toBeUndefined()
})

test('inside a transaction that commits, workers are told at once', async () => {
  await using stage = await stages()
  await using tx = await connect(stage.database)
  const jobs = stage.holdfast()
  let ran = false
  const task = jobs.task({
    name: 'task',
    run() {
      ran = true
    },
  })
  await stage.start(jobs.app({ tasks: [task], pollInterval: '1m' }))
  await tx.query('begin')
  await jobs.enqueue(task, undefined, { tx })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(ran).toBe(false)
  await tx.query('commit')
  await until(() => ran, { what: 'it runs', deadline: 10_000 })
})

test('a cancel inside a transaction counts if it commits', async () => {
  await using stage = await stages()
  await using tx = await connect(stage.database)
  const jobs = stage.holdfast()
  const task = jobs.task({ name: 'task', run() {} })
  const { id } = await jobs.enqueue(task)
  await tx.query('begin')
  expect(await jobs.cancel(id, { tx })).toEqual({ cancelled: 1 })
  await tx.query('rollback')
  expect(await stage.find(id)).toMatchObject({ state: 'ready' })
  expect(await jobs.cancel(id)).toEqual({ cancelled: 1 })
  expect(await stage.find(id)).toMatchObject({ state: 'cancelled' })
})

test('what is no transaction is refused: a pool, a client without `begin`, another database', async () => {
  await using stage = await stages()
  await using elsewhere = await createDatabase()
  await using idle = await connect(stage.database)
  await using foreign = await connect(elsewhere.url)
  const pool = new pg.Pool({ connectionString: stage.database })
  const jobs = stage.holdfast()
  const task = jobs.task({ name: 'task', run() {} })
  const refusal = (tx: unknown) => jobs.enqueue(task, undefined, { tx: tx as never }).catch((error: Error) => error)
  const refused = (says: string) => ({ code: 'HF_TX', message: expect.stringContaining(says) })
  expect(await refusal(pool)).toMatchObject(refused('not a pool'))
  expect(await refusal({})).toMatchObject(refused('must be a pg client'))
  expect(await refusal(null)).toMatchObject(refused('must be a pg client'))
  expect(await refusal(idle)).toMatchObject(refused('send `begin` first'))
  await foreign.query('begin')
  expect(await refusal(foreign)).toMatchObject(refused('reaches a'))
  expect(await jobIds(stage)).toEqual([])
  await pool.end()
})

interface OrmTransaction {
  readonly execute: (text: string, values: readonly unknown[]) => Promise<pg.QueryResult>
}

/** An ORM's transactions: what they are inside is the ORM's own affair. */
function orm(pool: pg.Pool): Transactions<OrmTransaction> {
  return {
    async begin(run) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        const result = await run({ execute: (text, values) => client.query(text, [...values]) })
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
    query: (tx, text, values) => tx.execute(text, values),
  }
}

test('through an ORM: enqueue in its transactions, batches and completions in them, refusals with their code', async () => {
  await using stage = await stages()
  await stage.sql(`create table orm_${stage.schema} (n int)`)
  const pool = new pg.Pool({ connectionString: stage.database, max: 4 })
  const tx = orm(pool)
  const jobs = stage.holdfast({ tx })
  const child = jobs.task({ name: 'child', run() {} })
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    items: () => ({
      name: 'three',
      async *open(cursor: unknown) {
        for (let n = Number(cursor ?? 0); n < 3; n++) yield { item: n, cursor: n + 1 }
      },
    }),
    async each(n, { tx, enqueue }) {
      await tx.execute(`insert into orm_${stage.schema} values ($1)`, [n])
      enqueue(child)
    },
  })
  const pay = jobs.task({
    name: 'pay',
    run: (_, { complete }) =>
      complete((tx) => tx.execute(`insert into orm_${stage.schema} values ($1)`, [100]).then(() => 'paid')),
  })
  const endsIt = jobs.task({
    name: 'ends-it',
    retry: false,
    run: (_, { complete }) => complete((tx) => tx.execute('commit; begin', []).then(() => 'not paid')),
  })
  await stage.start(jobs.app({ tasks: [work, pay, endsIt, child] }))
  const inside = await tx.begin((open) => jobs.enqueue(pay, undefined, { tx: open }))
  expect(await stage.ended(inside.id)).toMatchObject({ state: 'completed', result: 'paid' })
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({ state: 'completed', items: 3 })
  expect(await stage.ended((await jobs.enqueue(endsIt)).id)).toMatchObject({
    state: 'failed',
    error: { code: 'HF_TX_ENDED' },
  })
  expect(await stage.sql(`select n from orm_${stage.schema} order by n`)).toEqual([
    { n: 0 },
    { n: 1 },
    { n: 2 },
    { n: 100 },
  ])
  const children = () => stage.sql(`select 1 from :schema.history where task = 'child'`)
  await until(async () => (await children()).length === 3, { what: 'the children have run' })
  await pool.end()
})

test('enqueueMany streams: it never runs far ahead of what is written', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const task = jobs.task({ name: 'task', input: z.object({ n: z.number() }), run() {} })
  const ahead: number[] = []
  async function* inputs() {
    for (let n = 0; n < 30_000; n++) {
      if (n % 5_000 === 4_999) {
        const [row] = await stage.sql<{ jobs: number }>('select count(*)::int as jobs from :schema.job')
        ahead.push(n + 1 - (row?.jobs ?? 0))
      }
      yield { n }
    }
  }
  expect(await jobs.enqueueMany(task, inputs())).toEqual({ created: 30_000 })
  // One batch that gathers, two on their way.
  expect(Math.max(...ahead)).toBeLessThanOrEqual(3_000)
  const [row] = await stage.sql(
    `select count(distinct input->>'n')::int as inputs, count(*)::int as jobs from :schema.job`,
  )
  expect(row).toEqual({ inputs: 30_000, jobs: 30_000 })
})

test('enqueueMany: one bad input ends it, and says how many are there', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const task = jobs.task({ name: 'task', input: z.number(), run() {} })
  const error = await jobs.enqueueMany(task, [...upTo(1_500), Number.NaN, 7]).catch((thrown: Error) => thrown)
  expect(error).toMatchObject({ code: 'HF_INPUT' })
  const created = Number(/\((\d+) jobs were enqueued/.exec((error as Error).message)?.[1])
  expect(await jobIds(stage)).toHaveLength(created)
  const frozen = Object.freeze(new Error('from the generator'))
  await expect(
    jobs.enqueueMany(
      task,
      (function* () {
        yield 1
        throw frozen
      })(),
    ),
  ).rejects.toBe(frozen)
})

test('callers at the same time share statements, and each hears only of its own', async () => {
  let statements = 0
  const fake = fakeDatabase(async ({ name, values }) => {
    if (name !== 'enqueue') return []
    statements++
    await new Promise((resolve) => setTimeout(resolve, 5))
    if ((values[5] as string[]).includes('"bad"')) throw Object.assign(new Error('refused'), { code: '22P02' })
    return []
  })
  const enqueuer = new Enqueuer(fake.db)
  const job = { queue: 'q', task: 't', version: 1, priority: 5, expires: null, after: null }
  const inputs = [...upTo(500).map((n) => `${n}`), '"bad"', ...upTo(500).map((n) => `${n}`)]
  const outcomes = await Promise.allSettled(inputs.map((input, n) => enqueuer.one({ ...job, id: `id${n}`, input })))
  expect(outcomes.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1)
  expect(outcomes[500]).toMatchObject({ status: 'rejected', reason: { message: 'refused' } })
  expect(statements).toBeLessThan(40)
  await enqueuer.close()
})

test('claimed by priority, then in the order of enqueueing; what is for later comes later', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { other: {} } })
  const ran: string[] = []
  const task = jobs.task({ name: 'task', input: z.string(), priority: 6, run: (text) => void ran.push(text) })
  const enqueue = (text: string, options = {}) => jobs.enqueue(task, text, options)
  const busy = gate()
  const blocker = jobs.task({ name: 'blocker', run: () => busy.pass() })
  await stage.start(jobs.app({ tasks: [task, blocker], concurrency: 1 }), { queues: ['default'] })
  await jobs.enqueue(blocker)
  await busy.reached
  await enqueue('later', { after: '2s', priority: 0 })
  await enqueue('last', { priority: 9 })
  await enqueue('third')
  await enqueue('fourth')
  await enqueue('first', { priority: 0 })
  await enqueue('second', { priority: 5 })
  await enqueue('elsewhere', { queue: 'other', priority: 0 })
  const past = await enqueue('too late', { expires: '1ms' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  busy.open()
  await until(() => ran.length === 6, { what: 'six have run' })
  expect(ran).toEqual(['first', 'second', 'third', 'fourth', 'last', 'later'])
  expect(await stage.find(past.id)).toMatchObject({ state: 'expired', run: 1 })
})

test('a closed client says so; closing sends what is on its way', async () => {
  await using stage = await stages()
  const jobs = holdfast(stage.place)
  const task = jobs.task({ name: 'task', run() {} })
  await jobs.enqueue(task)
  const sending = upTo(100).map(() => jobs.enqueue(task))
  await Promise.resolve()
  const [ids] = await Promise.all([
    Promise.all(sending),
    new Promise((resolve) => setImmediate(() => resolve(jobs.close()))),
  ])
  expect(await jobIds(stage)).toHaveLength(ids.length + 1)
  await expect(jobs.enqueue(task)).rejects.toMatchObject({ code: 'HF_CLOSED' })
})
