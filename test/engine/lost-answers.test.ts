import { expect } from 'vitest'
import { range } from '../../src/sources.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { openLine } from './line.ts'
import { gate, test, upTo } from './support.ts'

const stages = useStages()
const LOST = ['message', 'answer'] as const

test('enqueue: when it is unknown whether the job exists, the error says so, and names the job', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const task = line.jobs.task({ name: 'task', run() {} })
  await line.jobs.enqueue(task) // a connection is there
  for (const lost of LOST) {
    const cut = line.cutAt('enqueue', lost)
    const error = await line.jobs.enqueue(task).catch((thrown: Error) => thrown as Error & { code: string })
    await cut
    expect(error).toMatchObject({ code: 'HF_ENQUEUE_UNKNOWN' })
    const id = /job ([0-9a-f-]{36}) of task "task"/.exec((error as Error).message)?.[1] ?? ''
    const found = await stage.find(id)
    expect(found?.state, lost).toBe(lost === 'answer' ? 'ready' : undefined)
  }
  // The next call has a new connection.
  await line.jobs.enqueue(task)
  expect(await stage.sql('select 1 from :schema.job')).toHaveLength(3)
})

test('enqueue: each of the callers that share a statement hears of its own job', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const task = line.jobs.task({ name: 'task', run() {} })
  await line.jobs.enqueue(task)
  const cut = line.cutAt('enqueue', 'answer')
  const errors = await Promise.all(upTo(50).map(() => line.jobs.enqueue(task).catch((error: Error) => error.message)))
  await cut
  const unknown = errors.filter((error) => typeof error === 'string')
  expect(unknown.length).toBeGreaterThan(1)
  const ids = new Set(unknown.map((message) => /job ([0-9a-f-]{36})/.exec(message)?.[1]))
  expect(ids.size).toBe(unknown.length)
})

test('enqueueMany: what was created before stays and is counted, what is unknown is named', async () => {
  await using stage = await stages()
  await using line = await openLine(stage)
  const task = line.jobs.task({ name: 'task', run() {} })
  let error: Error & { code?: string } = new Error('none')
  async function* inputs() {
    for (let n = 0; n < 10_000; n++) {
      if (n === 6_000)
        await until(async () => (await stage.sql('select 1 from :schema.job')).length > 0, { what: 'some' })
      if (n === 6_000) void line.cutAt('enqueue', 'message')
      yield undefined
    }
  }
  await line.jobs.enqueueMany(task, inputs()).catch((thrown: Error) => {
    error = thrown
  })
  expect(error).toMatchObject({
    code: 'HF_ENQUEUE_UNKNOWN',
    message: expect.stringMatching(/1000 jobs, [0-9a-f-]{36} to /),
  })
  const created = Number(/\((\d+) jobs were enqueued before this\)/.exec(error.message)?.[1])
  const [row] = await stage.sql<{ jobs: number }>('select count(*)::int as jobs from :schema.job')
  expect(created).toBeGreaterThan(0)
  expect(created % 1_000).toBe(0)
  expect(row?.jobs).toBe(created)
})

test('claim: jobs whose claim was never answered are given back, and run once', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const ran: string[] = []
    const task = line.jobs.task({ name: 'task', run: (_, { job }) => void ran.push(job.id) })
    const ids = await Promise.all(upTo(5).map(() => line.jobs.enqueue(task)))
    const cut = line.cutAt('claim', lost)
    await stage.start(line.jobs.app({ tasks: [task], lease: '2s', pollInterval: '100ms' }))
    await cut
    for (const { id } of ids)
      expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', losses: 0, failures: 0 })
    expect(ran.sort()).toEqual(ids.map(({ id }) => id).sort())
    expect(await stage.sql('select 1 from :schema.ledger')).toEqual([])
  }
})

test('start: an at-most-once job whose start was not answered runs once', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const ran: number[] = []
    const task = line.jobs.task({ name: 'task', delivery: 'at-most-once', run: (_, { job }) => void ran.push(job.run) })
    await stage.start(line.jobs.app({ tasks: [task] }))
    const cut = line.cutAt('start', lost)
    const { id } = await line.jobs.enqueue(task)
    await cut
    expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', run: 1 })
    expect(ran).toEqual([1])
  }
})

test('settle: a result whose write was not answered is there once, and the job runs once', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const ran: string[] = []
    const good = line.jobs.task({
      name: 'good',
      run(_, { job }) {
        ran.push(job.id)
        return job.run
      },
    })
    const bad = line.jobs.task({
      name: 'bad',
      retry: { limit: 1, backoff: '0ms' },
      run(_, { job }) {
        ran.push(job.id)
        if (job.failures === 0) throw new Error('once')
      },
    })
    await stage.start(line.jobs.app({ tasks: [good, bad] }))
    const completing = line.cutAt('complete', lost)
    const first = await line.jobs.enqueue(good)
    await completing
    expect(await stage.ended(first.id), lost).toMatchObject({ state: 'completed', run: 1, result: 1 })
    const delaying = line.cutAt('delay', lost)
    const second = await line.jobs.enqueue(bad)
    await delaying
    expect(await stage.ended(second.id), lost).toMatchObject({ state: 'completed', run: 2, failures: 1, losses: 0 })
    expect(ran).toEqual([first.id, second.id, second.id])
  }
})

test('checkpoint: a batch whose commit was not answered is done once, and costs no retry', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const table = `batch_${stage.schema}`
    await stage.sql(`create table ${table} (n int)`)
    const pause = gate()
    const work = line.jobs.iteration({
      name: 'work',
      retry: false,
      items: () => range(0, 10),
      async each(n, { tx }) {
        await tx.query(`insert into ${table} values ($1)`, [n])
        if (n === 4) await pause.pass()
      },
    })
    await stage.start(line.jobs.app({ tasks: [work] }))
    const { id } = await line.jobs.enqueue(work)
    await pause.reached
    const cut = line.cutAt('save_checkpoint_tx', lost)
    pause.open()
    await cut
    expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', failures: 0, items: 10 })
    expect(await stage.sql(`select n from ${table} order by n`)).toEqual(upTo(10).map((n) => ({ n })))
  }
})

test('checkpoint: a periodic save that was not answered costs no retry, and nothing is passed over', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const seen = new Set<number>()
    const work = line.jobs.iteration({
      name: 'work',
      checkpoint: 'periodic',
      retry: false,
      items: () => range(0, 300),
      async each(n) {
        seen.add(n)
        await new Promise((resolve) => setTimeout(resolve, 5))
      },
    })
    const cut = line.cutAt('save_checkpoint', lost)
    await stage.start(line.jobs.app({ tasks: [work] }))
    const { id } = await line.jobs.enqueue(work)
    await cut
    expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', failures: 0, items: 300 })
    expect(seen.size).toBe(300)
  }
})

test('complete: a commit that was not answered counts once', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    const table = `paid_${stage.schema}`
    await stage.sql(`create table ${table} (n int)`)
    const child = line.jobs.task({ name: 'child', run() {} })
    const pay = line.jobs.task({
      name: 'pay',
      retry: false,
      run: (_, { complete, enqueue, job }) =>
        complete(async (tx) => {
          await tx.query(`insert into ${table} values ($1)`, [job.run])
          enqueue(child)
          return 'paid'
        }),
    })
    await stage.start(line.jobs.app({ tasks: [pay, child] }))
    const cut = line.cutAt('finish_tx', lost)
    const { id } = await line.jobs.enqueue(pay)
    await cut
    expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', failures: 0, result: 'paid' })
    expect(await stage.sql(`select count(*)::int from ${table}`)).toEqual([{ count: 1 }])
    const children = () => stage.sql(`select 1 from :schema.history where task = 'child'`)
    await until(async () => (await children()).length === 1, { what: 'the child ran once' })
  }
})

test('ctx.enqueue: a completion with new jobs that was not answered counts once', async () => {
  for (const lost of LOST) {
    await using stage = await stages()
    await using line = await openLine(stage)
    let ran = 0
    const child = line.jobs.task({ name: 'child', run: () => void ran++ })
    const parent = line.jobs.task({
      name: 'parent',
      retry: false,
      run(_, { enqueue }) {
        enqueue(child)
        return 'done'
      },
    })
    await stage.start(line.jobs.app({ tasks: [parent, child] }))
    const cut = line.cutAt('finish', lost)
    const { id } = await line.jobs.enqueue(parent)
    await cut
    expect(await stage.ended(id), lost).toMatchObject({ state: 'completed', failures: 0, result: 'done' })
    const children = () => stage.sql(`select 1 from :schema.history where task = 'child'`)
    await until(async () => (await children()).length === 1, { what: 'the child has ended' })
    expect(ran).toBe(1)
  }
})
