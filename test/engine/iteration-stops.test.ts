import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { Snooze, type Source } from '../../src/index.ts'
import { pages, range } from '../../src/sources.ts'
import { pauseJob, resumeJob } from '../../src/store/operations.ts'
import { openProxy } from '../support/proxy.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, gate, test, upTo } from './support.ts'

const stages = useStages()
const BY = { reason: 'too much load', owner: 'ada' }

test('an interruption uses up no retry, and the job can be claimed at once', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    retry: false,
    items: () => range(0, 3),
    each: (n) => (n === 1 ? pause.pass() : undefined),
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  // Ready, in the front lane, ahead of everything that waits there: not retrying, not scheduled.
  expect(await stage.find(id)).toMatchObject({ state: 'ready', failures: 0, interruptions: 1 })
  expect(await stage.sql('select lane from :schema.job')).toEqual([{ lane: 0 }])
  await stage.start(app)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, interruptions: 1 })
})

test('what is handed off is not taken again by a claim of the same worker that was on its way', async () => {
  await using stage = await stages()
  await using proxy = await openProxy(stage.database)
  const jobs = stage.holdfast({ database: proxy.url })
  const begun = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 1_000),
    async each() {
      begun.open()
      await sleep(10)
    },
  })
  const worker = await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await begun.pass()
  const held = proxy.hold(stage.db.statements.claim, 'message')
  const release = await held
  const leaving = deployOver(worker)
  // Without the claim it would have left by then.
  await sleep(100)
  release()
  await leaving
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1 })
})

test('tells how often it was interrupted', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: object[] = []
  let pause = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 4),
    async each(_, { job }) {
      seen.push({ run: job.run, interruptions: job.interruptions, failures: job.failures, losses: job.losses })
      await pause.pass()
    },
  })
  const app = jobs.app({ tasks: [work] })
  const { id } = await jobs.enqueue(work)
  for (let round = 0; round < 3; round++) {
    const worker = await stage.start(app)
    await pause.reached
    const leaving = deployOver(worker)
    pause.open()
    await leaving
    pause = gate()
  }
  pause.open()
  await stage.start(app)
  expect(await stage.ended(id)).toMatchObject({ interruptions: 3, run: 4 })
  expect(seen).toEqual(upTo(4).map((n) => ({ run: n + 1, interruptions: n, failures: 0, losses: 0 })))
})

test('an interrupted job exists once', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const pause = gate()
  const work = jobs.iteration({ name: 'work', items: () => range(0, 3), each: () => pause.pass() })
  const first = await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  expect(
    await stage.sql(
      `select id from :schema.job union all select id from :schema.waiting union all select id from :schema.history`,
    ),
  ).toEqual([{ id }])
})

test('Snooze from the source or from `each` comes back at the last checkpoint, without a failure', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const asked: unknown[] = []
  const seen: string[] = []
  let refusals = 1
  const fromSource = jobs.iteration({
    name: 'from-source',
    items: () =>
      pages(async (token: number | undefined) => {
        asked.push(token)
        const at = token ?? 0
        // The API is busy once: the answer has no items, and says when to come back.
        if (at === 2 && refusals-- > 0) return { items: [], next: at, retryAfter: '1100ms' }
        return { items: [`item ${at}`, `item ${at + 1}`], next: at < 4 ? at + 2 : null }
      }),
    each: (item) => void seen.push(item),
  })
  const visits: number[] = []
  const fromEach = jobs.iteration({
    name: 'from-each',
    checkpoint: 'periodic',
    items: () => range(0, 4),
    each(n, { job }) {
      visits.push(n)
      if (n === 2 && job.run === 1) throw new Snooze('50ms')
    },
  })
  const other = jobs.task({ name: 'other', run: () => void seen.push('other') })
  // One slot: while the job sleeps, it belongs to somebody else.
  await stage.start(jobs.app({ tasks: [fromSource, fromEach, other], concurrency: 1 }))
  const { id } = await jobs.enqueue(fromSource)
  await stage.reached(id, 'snoozed')
  await stage.ended((await jobs.enqueue(other)).id)
  expect(await stage.find(id)).toMatchObject({ state: 'snoozed', items: 2 })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, run: 2, interruptions: 0 })
  expect(asked).toEqual([undefined, 2, 2, 4])
  expect(seen).toEqual(['item 0', 'item 1', 'other', 'item 2', 'item 3', 'item 4', 'item 5'])

  const each = await jobs.enqueue(fromEach)
  expect(await stage.ended(each.id)).toMatchObject({ state: 'completed', failures: 0, run: 2 })
  expect(visits).toEqual([0, 1, 2, 2, 3])
})

test('`done` does not run when the run ends by a Snooze', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const done: number[] = []
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 2),
    each(n, { job }) {
      if (n === 1 && job.run === 1) throw new Snooze('1ms')
    },
    done: (_, __, { job }) => void done.push(job.run),
  })
  await stage.start(jobs.app({ tasks: [work] }))
  await stage.ended((await jobs.enqueue(work)).id)
  expect(done).toEqual([2])
})

test('an interruption is logged with its reason', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const reason of ['deploy', 'scale-in'] as const) {
    const pause = gate()
    const work = jobs.iteration({ name: reason, items: () => range(0, 9), each: () => pause.pass() })
    const worker = await stage.start(jobs.app({ tasks: [work] }))
    const { id } = await jobs.enqueue(work)
    await pause.reached
    const leaving = worker.shutdown({ reason })
    pause.open()
    await leaving
    const line = await worker.logged(`interrupted: ${reason}`)
    expect(line).toMatchObject({ level: 'info', job: id, task: reason, run: 1 })
    expect(await stage.sql('select outcome, reason from :schema.trail where job = $1', [id])).toEqual([
      { outcome: 'interrupted', reason },
    ])
  }
})

test('the log tells of resume, interruption, snooze and completion', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const pause = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 4),
    async each(n, { job }) {
      if (n === 1) await pause.pass()
      if (n === 3 && job.run === 2) throw new Snooze('1ms')
    },
  })
  const app = jobs.app({ tasks: [work] })
  const first = await stage.start(app)
  const { id } = await jobs.enqueue(work)
  await pause.reached
  const leaving = deployOver(first)
  pause.open()
  await leaving
  const second = await stage.start(app)
  await stage.ended(id)
  const story = [...first.log, ...second.log].filter((line) => line['job'] === id).map((line) => line.message)
  expect(story).toEqual([
    'Job interrupted: deploy. It can go on elsewhere',
    'Job goes on at item 2',
    'Job snoozed for 1ms',
    'Job goes on at item 3',
    'Job completed',
  ])
})

test('an item that outlasts the shutdown budget does not keep the worker, and is done again elsewhere', async () => {
  await using stage = await stages()
  await stage.sql(`create table slow_${stage.schema} (n int)`)
  const jobs = stage.holdfast()
  const slow = gate()
  const work = jobs.iteration({
    name: 'work',
    items: () => range(0, 3),
    async each(n, { tx, job }) {
      await tx.query(`insert into slow_${stage.schema} values ($1)`, [n])
      if (n === 1 && job.run === 1) await slow.pass()
    },
  })
  const app = jobs.app({ tasks: [work], lease: '2s', shutdown: { grace: '2s' } })
  const first = await stage.start(app, { exits: true })
  const { id } = await jobs.enqueue(work)
  await slow.reached
  const { left, ms } = await first.shutdown()
  expect({ left, inTime: ms < 1_800 }).toEqual({ left: 1, inTime: true })
  // The process would be gone now. Here it lives on, and what it still does is refused.
  await stage.start(app)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 2, losses: 1, failures: 0 })
  slow.open()
  await sleep(100)
  expect(await stage.sql(`select n from slow_${stage.schema} order by n`)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
})

test('`maxSlotTime`: gives its slot to a job that waits, and goes on later', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { narrow: { concurrency: 1 } } })
  for (const queue of ['default', 'narrow'] as const) {
    const seen: string[] = []
    let waiting = true
    const long = jobs.iteration({
      name: `long-${queue}`,
      queue,
      maxSlotTime: '30ms',
      items: () => range(0, 100),
      each: () => (waiting ? sleep(5) : undefined),
      done: () => void seen.push('long'),
    })
    const short = jobs.task({ name: `short-${queue}`, queue, run: () => void seen.push('short') })
    const slots = queue === 'default' ? 1 : 10
    const worker = await stage.start(jobs.app({ tasks: [long, short], concurrency: slots }), { queues: [queue] })
    const { id } = await jobs.enqueue(long)
    await stage.reached(id, 'running')
    const others = [await jobs.enqueue(short), await jobs.enqueue(short), await jobs.enqueue(short)]
    for (const other of others) await stage.ended(other.id)
    expect(seen).toEqual(['short', 'short', 'short'])
    waiting = false
    const job = await stage.ended(id)
    expect(job, queue).toMatchObject({ state: 'completed', failures: 0, interruptions: 0, items: 100 })
    expect(job.run).toBeGreaterThan(1)
    await deployOver(worker)
  }
})

test('keeps its slot beyond `maxSlotTime` while there is room for the others', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const long = jobs.iteration({
    name: 'long',
    maxSlotTime: '10ms',
    items: () => range(0, 20),
    each: () => sleep(5),
  })
  await stage.start(jobs.app({ tasks: [long], concurrency: 2 }))
  expect(await stage.ended((await jobs.enqueue(long)).id)).toMatchObject({ state: 'completed', run: 1 })
})

async function runningIteration(stage: Stage, checkpoint: 'transactional' | 'periodic') {
  const jobs = stage.holdfast()
  const steps: number[] = []
  let reading: AbortSignal | undefined
  let next = gate()
  const numbers = range(0, 5)
  const work = jobs.iteration({
    name: checkpoint,
    checkpoint,
    items: () => ({
      ...numbers,
      open(cursor, context) {
        reading = context.signal
        return numbers.open(cursor, context)
      },
    }),
    async each(n) {
      await next.pass()
      steps.push(n)
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await next.reached
  return {
    jobs,
    id,
    steps,
    /** The run has heard that somebody wants it to stop. */
    told: () => until(() => reading?.aborted === true, { what: 'the request is read' }),
    /** Lets the item in work end. */
    step() {
      const before = next
      next = gate()
      before.open()
    },
    letAllGo() {
      next.open()
      next = Object.assign(gate(), { pass: async () => {} })
    },
  }
}

test('pause stops it at its next checkpoint, until it is resumed, or the pause is over', async () => {
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    await using stage = await stages()
    const { id, told, step, steps, letAllGo } = await runningIteration(stage, checkpoint)
    expect(await pauseJob(stage.db, id, BY, 600_000)).toBe('running')
    expect(await stage.sql('select 1 from :schema.request')).toHaveLength(1)
    await told()
    step()
    expect(await stage.reached(id, 'paused'), checkpoint).toMatchObject({ items: 1, failures: 0 })
    letAllGo()
    await sleep(50)
    expect(steps).toEqual([0])
    expect(await resumeJob(stage.db, id)).toEqual({ queue: 'default' })
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 5, failures: 0 })
    expect(steps).toEqual([0, 1, 2, 3, 4])
    expect(await stage.sql('select 1 from :schema.request')).toEqual([])
  }
})

test('a pause ends by itself', async () => {
  await using stage = await stages()
  const { id, step, letAllGo } = await runningIteration(stage, 'transactional')
  await pauseJob(stage.db, id, BY, 4_000)
  step()
  await stage.reached(id, 'paused')
  letAllGo()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 5 })
})

test('a pause that was taken back while its item was still in work does not hold the job', async () => {
  await using stage = await stages()
  const { id, told, step, letAllGo } = await runningIteration(stage, 'periodic')
  await pauseJob(stage.db, id, BY, 600_000)
  await told()
  expect(await resumeJob(stage.db, id)).toEqual({ queue: null })
  step()
  letAllGo()
  // Its run had heard of the pause, and left; the next one comes at once.
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', items: 5, run: 2 })
})

test('cancel ends it at its next boundary: what is done stays done, the signal aborts', async () => {
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    await using stage = await stages()
    const jobs = stage.holdfast()
    await stage.sql(`create table done_${stage.schema} (n int)`)
    const middle = gate()
    let reason: unknown
    const work = jobs.iteration({
      name: checkpoint,
      checkpoint,
      items: () => range(0, 5),
      async each(n, { signal }) {
        await stage.sql(`insert into done_${stage.schema} values ($1)`, [n])
        if (n !== 2) return
        signal.addEventListener('abort', () => {
          reason = signal.reason
          middle.open()
        })
        await middle.pass()
      },
    })
    await stage.start(jobs.app({ tasks: [work] }))
    const { id } = await jobs.enqueue(work)
    await middle.reached
    expect(await jobs.cancel(id)).toEqual({ cancelled: 1 })
    const job = await stage.ended(id)
    expect(job, checkpoint).toMatchObject({ state: 'cancelled', failures: 0, items: 3 })
    expect(reason).toMatchObject({ name: 'Interrupted', reason: 'cancel' })
    expect(await stage.sql(`select n from done_${stage.schema} order by n`)).toHaveLength(3)
    expect(await jobs.cancel(id)).toEqual({ cancelled: 0 })
  }
})

test('a source that waits for its next item does not hold up the stop', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  for (const checkpoint of ['transactional', 'periodic'] as const) {
    for (const concurrency of [1, 4]) {
      const waiting = gate()
      const source: Source<number> = {
        name: 'slow',
        async *open(_, { signal }) {
          for (let n = 0; n < 3; n++) yield { item: n, cursor: n + 1 }
          void waiting.pass()
          await sleep(60_000, undefined, { signal })
        },
      }
      let aborted = false
      const work = jobs.iteration({
        name: `${checkpoint}-${concurrency}`,
        checkpoint,
        concurrency,
        items: () => source,
        async each(_, { signal }) {
          signal.addEventListener('abort', () => {
            aborted = true
          })
          await sleep(concurrency === 1 ? 0 : 100)
        },
      })
      const worker = await stage.start(jobs.app({ tasks: [work] }))
      const { id } = await jobs.enqueue(work)
      await waiting.reached
      const began = performance.now()
      await deployOver(worker)
      expect(performance.now() - began).toBeLessThan(10_000) // the budget is 27 s
      // What was in work has ended well: only the reading was cut short. What was merely prepared is prepared again.
      const items = checkpoint === 'transactional' && concurrency > 1 ? 1 : 3
      expect(await stage.find(id), work.name).toMatchObject({ state: 'ready', items, interruptions: 1, failures: 0 })
      expect(aborted).toBe(false)
    }
  }
})
