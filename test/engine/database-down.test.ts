import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { Enqueuer } from '../../src/engine/enqueue.ts'
import { range } from '../../src/sources.ts'
import { Database } from '../../src/store/db.ts'
import { openEmbedded } from '../../src/store/embedded/embedded.ts'
import { stopServer } from '../../src/store/embedded/server.ts'
import { revokeWorker } from '../../src/store/workers.ts'
import { holdLock } from '../support/lock.ts'
import { openProxy } from '../support/proxy.ts'
import { openStage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { openLine } from './line.ts'
import { gate, test, upTo } from './support.ts'

const stages = useStages()

test('enqueue fails at once, with a clear error, and works again when the database is back', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const task = line.jobs.task({ name: 'task', run() {} })
  const dead = stage.holdfast({ database: 'postgres://postgres@127.0.0.1:1/nowhere' })
  const began = performance.now()
  await expect(dead.enqueue(task)).rejects.toMatchObject({
    code: 'HF_DATABASE_DOWN',
    message: expect.stringContaining('ECONNREFUSED'),
  })
  await expect(dead.enqueueMany(task, [undefined])).rejects.toMatchObject({ code: 'HF_DATABASE_DOWN' })
  expect(performance.now() - began).toBeLessThan(5_000)

  line.proxy.refusing = true
  line.proxy.reset()
  await expect(line.jobs.enqueue(task)).rejects.toMatchObject({
    code: expect.stringMatching(/^HF_(DATABASE_DOWN|ENQUEUE_UNKNOWN)$/),
  })
  line.proxy.refusing = false
  const { id } = await line.jobs.enqueue(task)
  expect(await stage.find(id)).toMatchObject({ state: 'ready' })
})

test('enqueue into a black hole gives up after its time, not knowing', async () => {
  await using stage = await stages()
  await using proxy = await openProxy(stage.database)
  const db = new Database({ url: proxy.url, schema: stage.schema, statementTimeout: 500 })
  const enqueuer = new Enqueuer(db)
  const job = { queue: 'default', task: 't', version: 1, priority: 5, input: null, expires: null, after: null }
  await enqueuer.one({ ...job, id: crypto.randomUUID() })
  proxy.blackhole = true
  const began = performance.now()
  await expect(enqueuer.one({ ...job, id: crypto.randomUUID() })).rejects.toMatchObject({ code: 'HF_ENQUEUE_UNKNOWN' })
  expect(performance.now() - began).toBeLessThan(3_000)
  proxy.blackhole = false
  proxy.reset()
  await enqueuer.one({ ...job, id: crypto.randomUUID() })
  await db.close()
})

test('an outage shorter than the lease: everything goes on, as the same worker, without a failure', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const table = `outage_${stage.schema}`
  await stage.sql(`create table ${table} (n int)`)
  const carry = line.jobs.iteration({
    name: 'carry',
    retry: false,
    items: () => range(0, 200),
    async each(n, { tx }) {
      await tx.query(`insert into ${table} values ($1)`, [n])
      await sleep(5)
    },
  })
  const walk = line.jobs.iteration({
    name: 'walk',
    checkpoint: 'periodic',
    retry: false,
    items: () => range(0, 300),
    each: () => sleep(5),
  })
  const quick = line.jobs.task({ name: 'quick', retry: false, run: () => sleep(20) })
  const worker = await stage.start(line.jobs.app({ tasks: [carry, walk, quick], lease: '12s', pollInterval: '100ms' }))
  const { key } = worker
  const direct = stage.holdfast()
  const ids = [await direct.enqueue(carry), await direct.enqueue(walk)]
  for (let n = 0; n < 50; n++) ids.push(await direct.enqueue(quick))
  await until(async () => (await stage.sql(`select 1 from ${table}`)).length > 10, { what: 'work is under way' })
  line.proxy.refusing = true
  line.proxy.reset()
  for (let n = 0; n < 20; n++) ids.push(await direct.enqueue(quick))
  await sleep(1_500)
  line.proxy.refusing = false
  for (const { id } of ids)
    expect(await stage.ended(id, 40_000)).toMatchObject({ state: 'completed', failures: 0, losses: 0 })
  expect(await stage.sql(`select n from ${table} order by n`)).toEqual(upTo(200).map((n) => ({ n })))
  expect(worker.key).toBe(key)
  const troubles = worker.log.filter(({ level }) => level !== 'info')
  expect(troubles.length, 'INVALID: the outage was not noticed').toBeGreaterThan(0)
  // One trouble is said once, not at every attempt.
  expect(troubles.length).toBeLessThan(30)
})

test('an outage longer than the lease: runs are aborted, and it goes on as a new incarnation', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const reasons: unknown[] = []
  const waiting = gate()
  const cut = line.jobs.task({
    name: 'cut',
    retry: false,
    interrupt: 'restart',
    async run(_, { signal, job }) {
      if (job.run > 1) return 'again'
      void waiting.pass()
      await sleep(60_000, undefined, { signal }).catch(() => {
        reasons.push((signal.reason as { reason: string }).reason)
        throw signal.reason
      })
    },
  })
  const worker = await stage.start(line.jobs.app({ tasks: [cut], lease: '2s', pollInterval: '100ms' }))
  const { key } = worker
  const { id } = await stage.holdfast().enqueue(cut)
  await waiting.reached
  line.proxy.blackhole = true
  await worker.logged('lost its lease')
  expect(reasons).toEqual(['lease-lost'])
  expect(worker.log.find(({ message }) => message.includes('lost its lease'))).toMatchObject({ level: 'error' })
  line.proxy.blackhole = false
  line.proxy.reset()
  await worker.logged('goes on as a new incarnation')
  expect(worker.key).not.toBe(key)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 2, failures: 0, losses: 1, result: 'again' })
})

test('a run that ended because its lease was lost leaves the trace by which its job is given back', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const waiting = gate()
  let aborted = false
  const cut = jobs.task({
    name: 'cut',
    interrupt: 'restart',
    async run(_, { signal, job }) {
      if (job.run > 1) return
      void waiting.pass()
      await sleep(60_000, undefined, { signal }).catch((error: unknown) => {
        aborted = true
        throw error
      })
    },
  })
  const worker = await stage.start(jobs.app({ tasks: [cut], lease: '2s' }))
  const { id } = await jobs.enqueue(cut)
  await waiting.reached
  // The sweep passes over a row that is locked, so the run is over before the job can be given back.
  await using lock = await holdLock(stage, 'select from :schema.job where id = $1 for update', [id])
  await revokeWorker(stage.db, worker.key ?? 0, true)
  await worker.logged('lost its lease')
  await until(() => aborted, { what: 'the run is aborted' })
  await sleep(300)
  await lock.release()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 2, losses: 1, failures: 0 })
})

test('a shutdown into a black hole ends within its budget, and nothing is lost', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const waiting = gate()
  const cut = line.jobs.task({
    name: 'cut',
    interrupt: 'restart',
    async run(_, { signal, job }) {
      if (job.run > 1) return
      void waiting.pass()
      await sleep(60_000, undefined, { signal })
    },
  })
  const app = line.jobs.app({ tasks: [cut], lease: '2s', shutdown: { grace: '4s' }, pollInterval: '100ms' })
  const worker = await stage.start(app)
  const direct = stage.holdfast()
  const { id } = await direct.enqueue(cut)
  await waiting.reached
  line.proxy.blackhole = true
  await sleep(150) // a claim is in flight, too
  const began = performance.now()
  await worker.shutdown()
  expect(performance.now() - began).toBeLessThan(4_000)
  await stage.start(direct.app({ tasks: [cut], lease: '2s' }))
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0 })
})

test('a LISTEN that was cut works again, and polling carries on meanwhile', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let ran = 0
  const task = jobs.task({ name: 'task', run: () => void ran++ })
  // Polling once a minute: what runs at once was told of.
  await stage.start(jobs.app({ tasks: [task], pollInterval: '1m' }))
  const listeners = () =>
    stage.sql<{ pid: number }>(`select pid from pg_stat_activity where query like 'listen %' and query like $1`, [
      `%${stage.schema}%`,
    ])
  const told = async (count: number) => {
    await jobs.enqueue(task)
    await until(() => ran === count, { what: `the job ran ${count} times`, deadline: 10_000 })
  }
  await until(async () => (await listeners()).length === 1, { what: 'it listens' })
  await told(1)
  const [before] = await listeners()
  await stage.sql('select pg_terminate_backend($1)', [before?.pid])
  await until(async () => (await listeners()).some(({ pid }) => pid !== before?.pid), { what: 'it listens again' })
  await told(2)
})

test('without LISTEN, polling is all there is, and enough', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const task = line.jobs.task({ name: 'task', run() {} })
  await stage.start(line.jobs.app({ tasks: [task], pollInterval: '200ms' }))
  // Nobody can listen, and a job that nobody was told of.
  await stage.sql(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %${stage.schema}%'`)
  const [{ id } = { id: '' }] = await stage.sql<{ id: string }>(
    `insert into :schema.job (id, queue, task) values (gen_random_uuid(), 'default', 'task') returning id`,
  )
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
})

test('a transaction that the handler lets stand idle is ended by the server, and the job says why', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    items: () => range(0, 1),
    async each(_, { tx }) {
      await tx.query('select 1')
      await sleep(2_500)
    },
  })
  const quick = jobs.task({ name: 'quick', run() {} })
  const worker = await stage.start(jobs.app({ tasks: [work, quick], lease: '2s' }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({
    state: 'failed',
    error: { code: 'HF_TX_IDLE' },
  })
  expect(await stage.ended((await jobs.enqueue(quick)).id)).toMatchObject({ state: 'completed' })
  expect(worker.log.filter(({ message }) => message.includes('lost its lease'))).toEqual([])
})

test('a server that stops and starts again: workers and producers go on by themselves', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-down-'))
  const server = await openEmbedded({ folder, temporary: true })
  try {
    await using stage = await openStage(server.url, 'holdfast')
    const jobs = stage.holdfast()
    await stage.sql('create table carried (n int)')
    const half = gate()
    const carry = jobs.iteration({
      name: 'carry',
      retry: false,
      items: () => range(0, 40),
      async each(n, { tx }) {
        await tx.query('insert into carried values ($1)', [n])
        if (n === 20) await half.pass()
      },
    })
    const quick = jobs.task({ name: 'quick', retry: false, run() {} })
    await stage.start(jobs.app({ tasks: [carry, quick], lease: '12s', pollInterval: '100ms' }))
    const { id } = await jobs.enqueue(carry)
    await half.reached
    expect(await stopServer(path.join(folder, '.holdfast', 'pg', '18'))).toBe(true)
    const refusal = { code: expect.stringMatching(/^HF_(DATABASE_DOWN|ENQUEUE_UNKNOWN)$/) }
    await expect(jobs.enqueue(quick)).rejects.toMatchObject(refusal)
    half.open()
    await sleep(500)
    const again = await openEmbedded({ folder, temporary: true })
    expect(again.url).toBe(server.url)
    const other = await jobs.enqueue(quick)
    expect(await stage.ended(other.id, 30_000)).toMatchObject({ state: 'completed', failures: 0 })
    expect(await stage.ended(id, 30_000)).toMatchObject({ state: 'completed', failures: 0, items: 40 })
    expect(await stage.sql('select n from carried order by n')).toEqual(upTo(40).map((n) => ({ n })))
    await again.release()
  } finally {
    await server.release()
    await rm(folder, { recursive: true, force: true })
  }
})

test('another database that a handler asks is its own affair: when it is down, the job fails', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const elsewhere = stage.holdfast({ database: 'postgres://postgres@127.0.0.1:1/nowhere' })
  const child = jobs.task({ name: 'child', run() {} })
  const work = jobs.task({ name: 'work', retry: false, run: async () => void (await elsewhere.enqueue(child)) })
  await stage.start(jobs.app({ tasks: [work, child] }))
  expect(await stage.ended((await jobs.enqueue(work)).id)).toMatchObject({
    state: 'failed',
    error: { code: 'HF_DATABASE_DOWN' },
  })
})

test('an at-most-once job whose completion was not answered has completed, or failed and says why', async () => {
  const failed = { state: 'failed', error: { code: 'HF_DATABASE_DOWN' } }
  for (const [statement, lost, end] of [
    ['finish_tx', 'message', failed],
    // Its transaction goes with its connection.
    ['finish_tx', 'answer', failed],
    ['commit', 'message', failed],
    ['commit', 'answer', { state: 'completed' }],
  ] as const) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const text = statement === 'commit' ? statement : stage.db.statements[statement]
    let cut: Promise<void> | undefined
    const work = line.jobs.task({
      name: 'work',
      delivery: 'at-most-once',
      run: (_, { complete }) =>
        complete(async (tx) => {
          await tx.query('select 1')
          cut = line.proxy.cut({ text }, lost)
        }),
    })
    await stage.start(line.jobs.app({ tasks: [work] }))
    const { id } = await line.jobs.enqueue(work)
    const job = await stage.ended(id)
    expect(job, `${statement}, ${lost} lost`).toMatchObject({ ...end, run: 1 })
    await cut
  }
})
