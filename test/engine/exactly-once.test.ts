import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { z } from 'zod'
import { range } from '../../src/sources.ts'
import { march, newsletter, pay, welcome } from '../fixtures/apps/effects.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess } from '../support/worker-process.ts'
import { deployOver, gate, test, upTo } from './support.ts'

const stages = useStages('create table payment (n int)')

/** A mail API that sends one mail for all requests with the same key. */
async function mailApi() {
  const requests: { key: string; to: string }[] = []
  const sent = new Map<string, string>()
  const server = createServer((request, response) => {
    let to = ''
    request.on('data', (chunk: Buffer) => {
      to += chunk.toString()
    })
    request.on('end', () => {
      const key = String(request.headers['idempotency-key'])
      requests.push({ key, to })
      sent.set(key, to)
      response.end('sent')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    mails: () => [...sent.values()].sort(),
    [Symbol.dispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Runs jobs on a worker that is killed where it hangs, then on another one. */
async function killed(
  stage: Stage,
  hangs: number,
  enqueue: () => Promise<readonly { id: string }[]>,
  env = {},
  afterwards: () => Promise<void> = async () => {},
) {
  using witness = createWitness()
  const place = { app: 'effects', database: stage.database, schema: stage.schema, witness: witness.path }
  await using first = await startWorkerProcess({ ...place, env: { ...env, ROLE: 'first' } })
  const ids = await enqueue()
  await until(() => witness.saw('hangs').length === hangs, { what: 'the first worker hangs in every job' })
  first.signal('SIGKILL')
  await first.exit()
  await using _second = await startWorkerProcess({ ...place, env: { ...env, ROLE: 'second' } })
  const ended = []
  for (const { id } of ids) ended.push(await stage.ended(id))
  await afterwards()
  return { ended, witness: witness.saw() }
}

test('SIGKILL after the send: with `idempotencyKey`, one mail', async () => {
  await using stage = await stages()
  using api = await mailApi()
  const jobs = stage.holdfast()
  const { ended } = await killed(
    stage,
    2,
    async () => [await jobs.enqueue(welcome, { to: 'zoe' }), await jobs.enqueue(newsletter)],
    { MAIL_API: api.url },
  )
  for (const job of ended) expect(job).toMatchObject({ state: 'completed', run: 2, losses: 1, failures: 0 })
  expect(api.mails()).toEqual(['ann', 'bob', 'cy', 'dee', 'zoe'])
  // The proof that the key did it: the sends were repeated.
  expect(api.requests.filter(({ to }) => to === 'zoe')).toHaveLength(2)
  expect(api.requests.filter(({ to }) => to === 'cy')).toHaveLength(2)
})

test('`complete`: exactly once under SIGKILL before and after its commit', async () => {
  await using stage = await stages()
  using api = await mailApi()
  const jobs = stage.holdfast()
  const { ended } = await killed(
    stage,
    2,
    async () => [
      await jobs.enqueue(pay, { order: 1_001, hangs: 'before' }),
      await jobs.enqueue(pay, { order: 1_002, hangs: 'after' }),
    ],
    { MAIL_API: api.url },
    async () => {
      const mails = () => stage.sql(`select 1 from :schema.history where task = 'welcome' and state = 20`)
      await until(async () => (await mails()).length === 2, { what: 'what was enqueued inside has run' })
    },
  )
  expect(ended).toMatchObject([
    { state: 'completed', run: 2, losses: 1 },
    { state: 'completed', run: 1, losses: 0 },
  ])
  const paid = await stage.sql('select n from payment where n > 1000 order by n')
  expect(paid).toEqual([{ n: 1_001 }, { n: 1_002 }])
  expect(api.mails()).toEqual(['payer 1001', 'payer 1002'])
})

test('progress outlives SIGKILL: the next run goes on at the last checkpoint', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const { ended, witness } = await killed(stage, 1, async () => [await jobs.enqueue(march)])
  expect(ended).toMatchObject([{ state: 'completed', run: 2, items: 50 }])
  const steps = witness.filter(({ what }) => what === 'step').map(({ n, run }) => [run, n])
  expect(steps).toEqual([
    ...upTo(21).map((n) => [1, n]),
    ...upTo(50)
      .slice(20)
      .map((n) => [2, n]),
  ])
  const done = await stage.sql('select n, count(*)::int from payment where n < 50 group by n order by n')
  expect(done).toEqual(upTo(50).map((n) => ({ n, count: 1 })))
})

test('the key is the same on every run, retry and build, and another one for each job, item and label', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const keys: string[] = []
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    retry: { backoff: '0ms' },
    items: () => range(0, 2),
    async each(n, { idempotencyKey, job }) {
      keys.push(idempotencyKey(), idempotencyKey('invoice'))
      if (n === 0 && job.run === 1) throw new Error('a failure')
      if (n === 0 && job.run === 2) {
        await pause.pass()
        throw new Error('another, while it is stopped')
      }
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app, { build: 'one' })
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  await stage.start(app, { build: 'two' })
  await stage.ended(id)
  const item = (n: number) => [`hf:${id}:${n}`, `hf:${id}:${n}:invoice`]
  expect(keys).toEqual([...item(0), ...item(0), ...item(0), ...item(1)])
})

test('what `each` enqueues commits with its checkpoint, or never existed', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const done: number[] = []
  const child = jobs.task({ name: 'child', input: z.number(), run: (n) => void done.push(n) })
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    done.length = 0
    const work = jobs.iteration({
      name: checkpoint,
      checkpoint,
      concurrency: 4,
      retry: { limit: 3, backoff: '0ms' },
      start: (_, { enqueue }) => void enqueue(child, 1_000),
      items: () => range(0, 6),
      prepare(n, { enqueue }) {
        // Runs ahead of the item that fails, and again with the next run.
        enqueue(child, n)
        return n
      },
      each(n, { enqueue, job }) {
        enqueue(child, 100 + n)
        if (n === 2 && job.failures < 2) throw new Error('after it enqueued')
      },
      done: (_, __, { enqueue }) => void enqueue(child, 2_000),
    })
    await stage.start(jobs.app({ tasks: [work, child] }))
    const { id } = await jobs.enqueue(work)
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 2 })
    const expected = [...upTo(6), ...upTo(6).map((n) => 100 + n), 1_000, 2_000]
    await until(() => done.length >= expected.length, { what: 'the children have run' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(
      done.toSorted((a, b) => a - b),
      checkpoint,
    ).toEqual(expected)
  }
})

test('what a task enqueues commits with its completion, or never existed', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const done: string[] = []
  const child = jobs.task({ name: 'child', input: z.string(), run: (text) => void done.push(text) })
  const work = jobs.task({
    name: 'work',
    retry: { limit: 1, backoff: '0ms' },
    run(_, { enqueue, job }) {
      const { id } = enqueue(child, `failures: ${job.failures}`, { priority: 1 })
      if (job.failures === 0) throw new Error('after it enqueued')
      return id
    },
  })
  await stage.start(jobs.app({ tasks: [work, child] }))
  const { result } = await stage.ended((await jobs.enqueue(work)).id)
  expect(await stage.ended(String(result))).toMatchObject({ state: 'completed' })
  expect(done).toEqual(['failures: 1'])
  expect(await stage.sql(`select count(*)::int from :schema.history where task = 'child'`)).toEqual([{ count: 1 }])
})

test('`complete` can be called once, ends the job, and nothing can be enqueued after it', async () => {
  await using stage = await stages()
  await stage.sql(`create table once_${stage.schema} (n int)`)
  const jobs = stage.holdfast()
  const errors: unknown[] = []
  const child = jobs.task({ name: 'child', run() {} })
  const work = jobs.task({
    name: 'work',
    async run(_, { complete, enqueue }) {
      const given = await complete(async (tx) => {
        await tx.query(`insert into once_${stage.schema} values (1)`)
        return { kept: true }
      })
      expect(given).toEqual({ kept: true })
      await complete(() => 2).catch((error: unknown) => errors.push(error))
      try {
        enqueue(child)
      } catch (error) {
        errors.push(error)
      }
      throw new Error('too late: the job is complete')
    },
  })
  const undecided = jobs.task({
    name: 'undecided',
    retry: false,
    async run(_, { complete, enqueue }) {
      enqueue(child)
      await complete(async (tx) => {
        await tx.query(`insert into once_${stage.schema} values (2)`)
        throw new Error('not like this')
      }).catch(() => {})
      return 'without it'
    },
  })
  await stage.start(jobs.app({ tasks: [work, undecided, child] }))
  const job = await stage.ended((await jobs.enqueue(work)).id)
  expect(job).toMatchObject({ state: 'completed', failures: 0, result: { kept: true } })
  expect(errors).toMatchObject([{ code: 'HF_TX' }, { code: 'HF_TX' }])
  expect(await stage.sql(`select count(*)::int from :schema.history where task = 'child'`)).toEqual([{ count: 0 }])
  // Its writes are gone, its result is the run's own, and what it had enqueued comes with that.
  const other = await stage.ended((await jobs.enqueue(undecided)).id)
  expect(other).toMatchObject({ state: 'completed', result: 'without it' })
  expect(await stage.sql(`select n from once_${stage.schema}`)).toEqual([{ n: 1 }])
  const children = () => stage.sql(`select 1 from :schema.history where task = 'child'`)
  await until(async () => (await children()).length === 1, { what: 'what it enqueued has run' })
})

test('a handler that ends its transaction is told so, and nothing is half done', async () => {
  await using stage = await stages()
  const table = `ended_${stage.schema}`
  await stage.sql(`create table ${table} (n int)`)
  const jobs = stage.holdfast()
  const words = [
    'COMMIT',
    'rollback',
    ' end',
    'ABORT;',
    'begin',
    'start transaction',
    '-- done\ncommit',
    '/* so */ commit',
    'commit and chain',
    'rollback and chain',
  ]
  let word = ''
  const task = jobs.task({
    name: 'task',
    retry: false,
    run: (_, { complete }) =>
      complete(async (tx) => {
        await tx.query(`insert into ${table} values (1)`)
        await tx.query(word)
      }),
  })
  const iteration = jobs.iteration({
    name: 'iteration',
    retry: false,
    items: () => range(0, 2),
    async each(n, { tx }) {
      await tx.query(`insert into ${table} values ($1)`, [n])
      await tx.query(word)
    },
  })
  await stage.start(jobs.app({ tasks: [task, iteration] }))
  for (word of words) {
    for (const work of [task, iteration]) {
      const job = await stage.ended((await jobs.enqueue(work)).id)
      expect(job, word).toMatchObject({ state: 'failed', error: { code: 'HF_TX_ENDED' } })
    }
  }
  expect(await stage.sql(`select n from ${table}`)).toEqual([])
  // Savepoints are the handler's own business.
  word = 'savepoint a; rollback to savepoint a'
  expect(await stage.ended((await jobs.enqueue(task)).id)).toMatchObject({ state: 'completed' })
  // Where the words cannot be seen, the transaction itself is recognised.
  word = `select 1; commit; begin`
  expect(await stage.ended((await jobs.enqueue(task)).id)).toMatchObject({
    state: 'failed',
    error: { code: 'HF_TX_ENDED' },
  })
})

test('a failed statement that the handler swallowed cannot be committed', async () => {
  await using stage = await stages()
  const table = `swallowed_${stage.schema}`
  await stage.sql(`create table ${table} (n int)`)
  const jobs = stage.holdfast()
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    items: () => range(0, 1),
    async each(n, { tx }) {
      await tx.query(`insert into ${table} values ($1)`, [n])
      await tx.query('select no such thing').catch(() => {})
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const job = await stage.ended((await jobs.enqueue(work)).id)
  expect(job).toMatchObject({ state: 'failed', items: null })
  expect(job.error?.code ?? job.error?.message).toMatch(/HF_TX_ENDED|25P02/)
  expect(await stage.sql(`select n from ${table}`)).toEqual([])
})

test('errors of the code inside a transaction stay what they are', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  class Closed extends Error {}
  const errors: [unknown, object][] = [
    [new Closed('account closed'), { message: 'account closed' }],
    [new Error('the connection was terminated'), { message: 'the connection was terminated' }],
    [Object.assign(new Error('no mail server'), { code: 'ECONNREFUSED' }), { code: 'ECONNREFUSED' }],
    [
      new Error('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ENOTFOUND' }) }),
      { message: 'fetch failed' },
    ],
  ]
  let thrown: unknown
  const work = jobs.iteration({
    name: 'work',
    retry: { limit: 5, on: [TypeError] },
    items: () => range(0, 1),
    each() {
      throw thrown
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  for (const [error, kept] of errors) {
    thrown = error
    const job = await stage.ended((await jobs.enqueue(work)).id)
    expect(job).toMatchObject({ state: 'failed', failures: 1, error: { ...kept, final: 'not-listed' } })
  }
})

test('more slow transactions than connections: the others wait, and `enqueue` inside of them does not', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const child = jobs.task({ name: 'child', run() {} })
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 2),
    async each(_, { tx }) {
      await tx.query('select pg_sleep(0.2)')
      // With a commit of its own, from inside: it needs a connection while this one is held.
      await jobs.enqueue(child)
    },
  })
  await stage.start(jobs.app({ tasks: [work, child], concurrency: 200 }))
  await jobs.enqueueMany(
    work,
    upTo(40).map(() => undefined),
  )
  await until(async () => (await stage.sql(`select 1 from :schema.history where state = 20`)).length === 120, {
    what: 'all have completed',
    deadline: 40_000,
  })
  expect(await stage.sql('select distinct run, failures::int from :schema.history')).toEqual([{ run: 1, failures: 0 }])
})
