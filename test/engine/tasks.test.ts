import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { z } from 'zod'
import { Discard, RetryAfter, Snooze } from '../../src/index.ts'
import { cancel } from '../../src/store/operations.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { gate, test, upTo } from './support.ts'

const stages = useStages()

test('jobs that wait under a former name of a task are run by it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const before = jobs.task({ name: 'send-mail', input: z.object({ to: z.string() }), run() {} })
  const { id } = await jobs.enqueue(before, { to: 'ann' })
  const seen: unknown[] = []
  const now = jobs.task({
    name: 'mail.send',
    aliases: ['send-mail'],
    input: z.object({ to: z.string() }),
    run: ({ to }, { job }) => void seen.push([job.task, to]),
  })
  await stage.start(jobs.app({ tasks: [now] }))
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', task: 'send-mail' })
  await stage.ended((await jobs.enqueue(now, { to: 'bob' })).id)
  expect(seen).toEqual([
    ['send-mail', 'ann'],
    ['mail.send', 'bob'],
  ])
})

test('a job that no worker knows waits, untouched, for one that does', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const known = jobs.task({ name: 'known', run() {} })
  const unknown = jobs.task({ name: 'unknown', run() {} })
  await stage.start(jobs.app({ tasks: [known], pollInterval: '50ms' }))
  const waiting = await jobs.enqueue(unknown)
  for (let n = 0; n < 3; n++) await stage.ended((await jobs.enqueue(known)).id)
  expect(await stage.find(waiting.id)).toMatchObject({ state: 'ready', run: 0 })
  await stage.start(jobs.app({ tasks: [known, unknown] }))
  expect(await stage.ended(waiting.id)).toMatchObject({ state: 'completed', run: 1 })
})

test('retries: by the error, by its own word, and never more than the limit', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  class Busy extends Error {}
  const listed = jobs.task({
    name: 'listed',
    retry: { limit: 5, backoff: '0ms', on: [Busy] },
    run(_, { job }) {
      throw job.failures < 2 ? new Busy('later') : new TypeError('a bug')
    },
  })
  const asked = jobs.task({
    name: 'asked',
    retry: { limit: 5, backoff: '0ms', on: (error) => (error as { status?: number }).status === 503 },
    run(_, { job }) {
      throw Object.assign(new Error('http'), { status: job.failures < 1 ? 503 : 404 })
    },
  })
  const limited = jobs.task({
    name: 'limited',
    retry: { limit: 2, backoff: '0ms' },
    run() {
      throw new Error('always')
    },
  })
  const discarded = jobs.task({
    name: 'discarded',
    retry: { limit: 5, backoff: '0ms' },
    run() {
      throw new Discard('never')
    },
  })
  const told = jobs.task({
    name: 'told',
    retry: { limit: 2, backoff: '1h', on: [Busy] },
    run(_, { job }) {
      if (job.failures < 2) throw new RetryAfter('20ms')
      return 'at last'
    },
  })
  const snoozed = jobs.task({
    name: 'snoozed',
    retry: false,
    run(_, { job }) {
      if (job.run < 3) throw new Snooze('20ms')
      return job.failures
    },
  })
  const wrong = jobs.task({
    name: 'wrong',
    retry: {
      on: () => {
        throw new Error('the predicate has a bug')
      },
    },
    run() {
      throw new Error('the failure')
    },
  })
  await stage.start(jobs.app({ tasks: [listed, asked, limited, discarded, told, snoozed, wrong] }))
  const end = async (task: typeof limited) => stage.ended((await jobs.enqueue(task)).id)
  const ends = await Promise.all(
    [listed, asked, limited, discarded, told, snoozed, wrong].map((task) => end(task as typeof limited)),
  )
  expect(ends).toMatchObject([
    { state: 'failed', failures: 3, error: { name: 'TypeError', final: 'not-listed' } },
    { state: 'failed', failures: 2, error: { final: 'not-listed' } },
    { state: 'failed', failures: 3, error: { message: 'always', final: 'limit' } },
    { state: 'failed', failures: 1, error: { message: 'never', final: 'discarded' } },
    { state: 'completed', failures: 2, result: 'at last' },
    { state: 'completed', failures: 0, run: 3, result: 0 },
    { state: 'failed', failures: 1, error: { message: 'the failure', final: 'predicate-failed' } },
  ])
})

test('a retry waits for its backoff', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const work = jobs.task({
    name: 'work',
    retry: { limit: 1, backoff: '1h', jitter: 'none' },
    run() {
      throw new Error('once')
    },
  })
  await stage.start(jobs.app({ tasks: [work] }))
  const { id } = await jobs.enqueue(work)
  await stage.reached(id, 'retrying')
  const [row] = await stage.sql<{ due: number }>(
    'select extract(epoch from due_at - clock_timestamp())::float8 as due from :schema.waiting where id = $1',
    [id],
  )
  expect(row?.due).toBeGreaterThan(3_500)
  expect(row?.due).toBeLessThanOrEqual(3_600)
})

test('a time limit aborts the signal, and the run has failed even if its code returns', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const reasons: unknown[] = []
  const task = (name: string, code: (signal: AbortSignal) => Promise<unknown>) =>
    jobs.task({
      name,
      timeLimit: '100ms',
      retry: false,
      async run(_, { signal }) {
        signal.addEventListener('abort', () => reasons.push((signal.reason as { code: string }).code))
        return code(signal)
      },
    })
  const heeds = task('heeds', (signal) => sleep(30_000, undefined, { signal }))
  const returns = task('returns', () => sleep(300, 'in the end'))
  const quick = task('quick', () => sleep(5, 'in time'))
  await stage.start(jobs.app({ tasks: [heeds, returns, quick] }))
  for (const work of [heeds, returns]) {
    expect(await stage.ended((await jobs.enqueue(work)).id), work.name).toMatchObject({
      state: 'failed',
      error: { code: 'HF_TIME_LIMIT' },
    })
  }
  expect(await stage.ended((await jobs.enqueue(quick)).id)).toMatchObject({ state: 'completed', result: 'in time' })
  expect(reasons).toEqual(['HF_TIME_LIMIT', 'HF_TIME_LIMIT'])
})

test('the input is parsed again when the job runs, and what does not fit any more fails it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const old = jobs.task({ name: 'work', input: z.object({ at: z.string() }), run() {} })
  const dates = [await jobs.enqueue(old, { at: '2026-01-01T00:00:00Z' }), await jobs.enqueue(old, { at: 'yesterday' })]
  const work = jobs.task({
    name: 'work',
    retry: false,
    input: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
    run: ({ at }) => at.getTime(),
  })
  const late = jobs.task({
    name: 'late',
    retry: false,
    input: z.string().refine(async (text) => text !== 'no'),
    run: (text) => text,
  })
  await stage.start(jobs.app({ tasks: [work, late] }))
  expect(await stage.ended(dates[0]?.id ?? '')).toMatchObject({ state: 'completed', result: Date.UTC(2026, 0, 1) })
  const failed = await stage.ended(dates[1]?.id ?? '')
  expect(failed).toMatchObject({ state: 'failed', error: { code: 'HF_INPUT' } })
  expect(failed.error?.message).toContain('input.at')
  expect(await stage.ended((await jobs.enqueue(late, 'yes')).id)).toMatchObject({ state: 'completed', result: 'yes' })
  await expect(jobs.enqueue(late, 'no')).rejects.toMatchObject({ code: 'HF_INPUT' })
})

test('at-most-once: a failure is final, an interruption too, and it runs once', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const ran: string[] = []
  const options = { delivery: 'at-most-once' } as const
  const good = jobs.task({ ...options, name: 'good', run: () => void ran.push('good') })
  const bad = jobs.task({
    ...options,
    name: 'bad',
    run() {
      ran.push('bad')
      throw new Error('no second time')
    },
  })
  const asks = jobs.task({
    ...options,
    name: 'asks',
    run() {
      ran.push('asks')
      throw new Snooze('1ms')
    },
  })
  const cut = jobs.task({
    ...options,
    name: 'cut',
    async run(_, { signal }) {
      ran.push('cut')
      await sleep(60_000, undefined, { signal })
    },
  })
  const worker = await stage.start(jobs.app({ tasks: [good, bad, asks, cut], defaults: { retry: { limit: 9 } } }))
  const ids = await Promise.all([good, bad, asks, cut].map((task) => jobs.enqueue(task)))
  await until(() => ran.length === 4, { what: 'all have begun' })
  await worker.shutdown({ mode: 'cold' })
  const ends = await Promise.all(ids.map(({ id }) => stage.ended(id)))
  expect(ends).toMatchObject([
    { state: 'completed' },
    { state: 'failed', error: { final: 'at-most-once' } },
    { state: 'failed', error: { final: 'at-most-once' } },
    { state: 'interrupted' },
  ])
  expect(ran.sort()).toEqual(['asks', 'bad', 'cut', 'good'])
})

test('cancel: at once if it waits, by its signal if it runs', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let reason: unknown
  const work = jobs.task({
    name: 'work',
    async run(_, { signal }) {
      await sleep(60_000, undefined, { signal }).catch(() => {
        reason = signal.reason
        throw signal.reason
      })
    },
  })
  const scheduled = await jobs.enqueue(work, undefined, { after: '1h' })
  const ready = await jobs.enqueue(work)
  expect(await jobs.cancel(scheduled.id)).toEqual({ cancelled: 1 })
  expect(await jobs.cancel(ready.id)).toEqual({ cancelled: 1 })
  for (const { id } of [scheduled, ready]) expect(await stage.find(id)).toMatchObject({ state: 'cancelled', run: 0 })
  await stage.start(jobs.app({ tasks: [work] }))
  const running = await jobs.enqueue(work)
  await stage.reached(running.id, 'running')
  expect(await jobs.cancel(running.id)).toEqual({ cancelled: 1 })
  expect(await stage.ended(running.id)).toMatchObject({ state: 'cancelled', failures: 0 })
  expect(reason).toMatchObject({ name: 'Interrupted', reason: 'cancel' })
  expect(await jobs.cancel(running.id)).toEqual({ cancelled: 0 })
  expect(await jobs.cancel(crypto.randomUUID())).toEqual({ cancelled: 0 })
})

test('several workers share the work, and nothing runs twice', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const ran = new Map<string, number>()
  const work = jobs.task({
    name: 'work',
    async run(_, { job }) {
      ran.set(job.id, (ran.get(job.id) ?? 0) + 1)
      await sleep(1)
    },
  })
  const app = jobs.app({ tasks: [work], concurrency: 20 })
  await Promise.all(upTo(3).map(() => stage.start(app)))
  await jobs.enqueueMany(
    work,
    upTo(3_000).map(() => undefined),
  )
  const done = () => stage.sql<{ n: number }>('select count(*)::int as n from :schema.history where state = 20')
  await until(async () => (await done())[0]?.n === 3_000, { what: 'all have completed', every: 50 })
  expect(ran.size).toBe(3_000)
  expect([...ran.values()].filter((count) => count > 1)).toEqual([])
})

test('cancelled in the moment in which its run fails: it ends, and does not wait for its retry', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const work = gate()
  const failing = jobs.task({
    name: 'failing',
    retry: { limit: 3, backoff: '1h' },
    async run() {
      await work.pass()
      throw new Error('no')
    },
  })
  await stage.start(jobs.app({ tasks: [failing] }))
  const { id } = await jobs.enqueue(failing)
  await work.reached
  // Straight to the table: no notification, so that the worker learns of it no sooner than at its next look.
  await cancel(stage.db, id, { reason: 'not needed', owner: 'ann' })
  work.open()
  expect(await stage.ended(id)).toMatchObject({ state: 'cancelled', run: 1 })
})
