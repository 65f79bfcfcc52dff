import { expect } from 'vitest'
import { Snooze } from '../../src/index.ts'
import { startWork } from '../../src/worker.ts'
import type { Row } from './rows.ts'

const HOSTILE = [
  "'; drop table job; --",
  'a b',
  'a\0b',
  '$(reboot)',

  'a"b',
  '{a,b}',
  '\u202ea',
  '',
  'x'.repeat(129),
]

/** Rows about names, times and settings. */
export const OPTIONS: readonly Row[] = [
  {
    input: 'text parameter with a NUL byte',
    async check(yard) {
      const failed = await yard.run(() => {
        throw Object.assign(new Error('a\0b \ud800 c'), { code: 'E\0X', stack: 'Error\n    at x\0y (z.ts:1:1)' })
      })
      expect(failed).toMatchObject({ state: 'failed', error: { message: 'ab \ufffd c', code: 'EX' } })
      await expect(yard.jobs.enqueue(yard.anything, 1, { queue: 'a\0b' as never })).rejects.toMatchObject({
        code: 'HF_QUEUE_NOT_FOUND',
      })
      expect(await yard.jobs.cancel('a\0b')).toEqual({ cancelled: 0 })
    },
  },
  {
    input: 'long names',
    async check(yard, stage) {
      const { id } = await yard.jobs.enqueue(yard.anything, 'long', { queue: 'q'.repeat(128) })
      expect(await stage.ended(id)).toMatchObject({ state: 'completed', queue: 'q'.repeat(128) })
      const code = 'HF_NAME'
      expect(() => stage.holdfast({ queues: { ['q'.repeat(129)]: {} } })).toThrow(expect.objectContaining({ code }))
      expect(() => yard.jobs.task({ name: 't'.repeat(129), run() {} })).toThrow(expect.objectContaining({ code }))
      // PostgreSQL would cut it at 63 without an error.
      expect(() => stage.holdfast({ schema: 's'.repeat(64) })).toThrow(expect.objectContaining({ code }))
    },
  },
  {
    input: 'hostile names and SQL in texts',
    async check(yard, stage) {
      for (const name of HOSTILE) {
        const queue = name as never
        await expect(yard.jobs.enqueue(yard.anything, 1, { queue })).rejects.toMatchObject({
          code: 'HF_QUEUE_NOT_FOUND',
        })
        await expect(startWork(yard.app, { queues: [name] })).rejects.toMatchObject({ code: 'HF_QUEUE_NOT_FOUND' })
        const badName = expect.objectContaining({ code: 'HF_NAME' })
        expect(() => stage.holdfast({ schema: name })).toThrow(badName)
        expect(() => stage.holdfast({ queues: { [name]: {} } })).toThrow(badName)
        expect(() => yard.jobs.task({ name, run() {} })).toThrow(badName)
        expect(() => yard.jobs.task({ name: 'ok', aliases: [name], run() {} })).toThrow(badName)
        expect(await yard.jobs.cancel(name)).toEqual({ cancelled: 0 })
      }
      await expect(yard.jobs.enqueue('anything' as never, undefined as never)).rejects.toMatchObject({
        code: 'HF_CONFIG',
      })
      const text = `'; drop table ${stage.schema}.job; -- {a,"b\\"} $1 \n`
      const failed = await yard.run(() => {
        throw new Error(text)
      })
      expect(failed.error?.message).toBe(text)
      const done = await yard.run(() => ({ [text]: text }))
      expect(done.result).toEqual({ [text]: text })
      // A word that is special in an array literal is a name like any other.
      const { id } = await yard.jobs.enqueue(yard.anything, 1, { queue: 'null' })
      expect(await stage.ended(id)).toMatchObject({ state: 'completed', queue: 'null' })
      const [left] = await stage.sql<{ tables: number }>(
        `select count(*)::int as tables from pg_tables where schemaname = $1 and tablename in ('job', 'waiting')`,
        [stage.schema],
      )
      expect(left).toEqual({ tables: 2 })
    },
  },
  {
    input: 'dates out of range',
    async check(yard, stage) {
      const far = [
        8.64e15,
        -8.64e15,
        Number.NaN,
        Date.UTC(1999, 11, 31),
        Date.UTC(2100, 0, 1),
        Math.floor(Date.now() / 1_000),
      ]
      for (const time of far) {
        const date = new Date(time)
        const refusal = { code: 'HF_DURATION' }
        await expect(yard.jobs.enqueue(yard.anything, 1, { after: date })).rejects.toMatchObject(refusal)
        await expect(yard.jobs.enqueue(yard.anything, 1, { expires: date })).rejects.toMatchObject(refusal)
      }
      const past = new Date(Date.UTC(2001, 0, 1))
      const late = await yard.jobs.enqueue(yard.anything, 'late', { after: past })
      expect(await stage.ended(late.id)).toMatchObject({ state: 'completed' })
      const over = await yard.jobs.enqueue(yard.anything, 'over', { expires: past })
      expect(await stage.ended(over.id)).toMatchObject({ state: 'expired' })
      const far2099 = await yard.jobs.enqueue(yard.anything, 'far', { after: new Date(Date.UTC(2099, 0, 1)) })
      expect(await stage.find(far2099.id)).toMatchObject({ state: 'scheduled' })
    },
  },
  {
    input: 'delays: negative, no number, too long for a timer',
    async check(yard, stage) {
      const { jobs, anything } = yard
      for (const after of [
        '-5s',
        'NaNs',
        '1e3s',
        '',
        ' 5s',
        '5',
        'Infinityd',
        '3651d',
        '99999999999999d',
        5,
        -1,
        null,
        {},
        Number.NaN,
      ]) {
        await expect(
          jobs.enqueue(anything, 1, { after: after as never }),
          `after ${String(after)}`,
        ).rejects.toMatchObject({
          code: 'HF_DURATION',
        })
        const failed = await yard.run(() => {
          throw new Snooze(after as never)
        })
        expect(failed, `Snooze ${String(after)}`).toMatchObject({ state: 'failed', error: { code: 'HF_DURATION' } })
      }
      // 2^31 ms are 24.8 days: a timer of 30 days would fire at once.
      const later = await jobs.enqueue(anything, 1, { after: '30d' })
      const slow = jobs.task({
        name: 'slow',
        interrupt: 'restart',
        timeLimit: '60d',
        retry: { backoff: '40d', jitter: 'none' },
        async run(_, { signal, job }) {
          if (job.failures > 0) return 'came back'
          await new Promise((resolve) => setTimeout(resolve, 50))
          if (signal.aborted) return 'its limit of 60 days was over'
          throw new Error('again in 40 days')
        },
      })
      await stage.start(jobs.app({ tasks: [slow] }))
      const { id } = await jobs.enqueue(slow)
      await stage.reached(id, 'retrying')
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(await stage.find(id)).toMatchObject({ state: 'retrying', failures: 1 })
      expect(await stage.find(later.id)).toMatchObject({ state: 'scheduled' })
    },
  },
  {
    input: 'settings of a worker',
    async check(yard, stage) {
      const { jobs, anything } = yard
      const tasks = [anything]
      for (const concurrency of [0, -1, 1e9, 1.5, Number.NaN, '5']) {
        const refusal = expect.objectContaining({ code: 'HF_CONFIG', message: expect.stringContaining('concurrency') })
        expect(() => jobs.app({ tasks, concurrency: concurrency as never }), `${concurrency}`).toThrow(refusal)
        expect(() => stage.holdfast({ queues: { q: { concurrency: concurrency as never } } })).toThrow(refusal)
        await expect(startWork(yard.app, { concurrency: concurrency as never })).rejects.toEqual(refusal)
      }
      const app = (options: object) => () => jobs.app({ tasks, ...options })
      const config = (text: string) =>
        expect.objectContaining({ code: 'HF_CONFIG', message: expect.stringContaining(text) })
      expect(app({ lease: '1s' })).toThrow(config('lease must be a duration from 2s'))
      expect(app({ lease: '11m' })).toThrow(config('lease'))
      expect(app({ lease: 'soon' })).toThrow(expect.objectContaining({ code: 'HF_DURATION' }))
      expect(app({ pollInterval: '1ms' })).toThrow(config('pollInterval'))
      expect(app({ shutdown: { grace: '-1s' } })).toThrow(expect.objectContaining({ code: 'HF_DURATION' }))
      expect(app({ shutdown: { grace: '1s' }, policy: { maxFinish: '10s' } })).toThrow(
        config('longer than the shutdown budget'),
      )
      expect(app({ shutdown: { mode: 'warm' } })).toThrow(config('shutdown.mode must be one of'))
      expect(app({ concurency: 5 })).toThrow(config("Did you mean 'concurrency'?"))
      await expect(startWork(yard.app, { queues: ['bulkk'] })).rejects.toMatchObject({
        code: 'HF_QUEUE_NOT_FOUND',
        message: expect.stringContaining("Did you mean 'bulk'?"),
      })
      await expect(startWork({ tasks })).rejects.toMatchObject({ code: 'HF_CONFIG' })
    },
  },
]
