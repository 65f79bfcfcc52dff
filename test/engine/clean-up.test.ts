import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { z } from 'zod'
import { range } from '../../src/sources.ts'
import { useStages } from '../support/stage.ts'
import { test } from './support.ts'

const stages = useStages()

test('after the soft limit there is time to clean up: the run ends when its code and its clean-up have, and has failed', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: string[] = []
  const slow = jobs.task({
    name: 'slow',
    timeLimit: { soft: '200ms', hard: '5s' },
    retry: false,
    input: z.object({ file: z.string() }),
    async run(_, { signal }) {
      await sleep(60_000, undefined, { signal }).catch(() => seen.push('code ended'))
      return 'as if nothing had been'
    },
    async onTimeout({ file }, { signal, job }) {
      seen.push(`removing ${file} of run ${job.run}, aborted: ${signal.aborted}`)
      await sleep(300)
      seen.push('clean')
    },
  })
  await stage.start(jobs.app({ tasks: [slow] }))
  const { id } = await jobs.enqueue(slow, { file: 'a.tmp' })
  expect(await stage.ended(id)).toMatchObject({ state: 'failed', failures: 1, error: { code: 'HF_TIME_LIMIT' } })
  expect(seen.toSorted()).toEqual(['clean', 'code ended', 'removing a.tmp of run 1, aborted: true'])
})

test('a clean-up that throws changes nothing; one that was not needed is not called', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let called = 0
  const throws = jobs.task({
    name: 'throws',
    timeLimit: { soft: '100ms', hard: '5s' },
    retry: false,
    run: (_, { signal }) => sleep(60_000, undefined, { signal }),
    onTimeout() {
      throw new Error('worse')
    },
  })
  const quick = jobs.task({ name: 'quick', timeLimit: '10s', run: () => sleep(5), onTimeout: () => called++ })
  const worker = await stage.start(jobs.app({ tasks: [throws, quick] }))
  const { id } = await jobs.enqueue(throws)
  expect(await stage.ended(id)).toMatchObject({ state: 'failed', error: { code: 'HF_TIME_LIMIT' } })
  expect(await worker.logged('onTimeout failed: worse')).toMatchObject({ level: 'warn', job: id })
  expect(await stage.ended((await jobs.enqueue(quick)).id)).toMatchObject({ state: 'completed' })
  expect(called).toBe(0)
})

test('an iteration past its limit saves what it has done, cleans up, and goes on there', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const cleaned: number[] = []
  const each: number[] = []
  const walk = jobs.iteration({
    name: 'walk',
    timeLimit: { soft: '300ms', hard: '10s' },
    retry: { limit: 3, backoff: '0s' },
    checkpoint: 'periodic',
    items: () => range(0, 10),
    async each(n, { job }) {
      each.push(n)
      await sleep(job.run === 1 ? 100 : 0)
    },
    onTimeout: (_, { job }) => cleaned.push(job.run),
  })
  await stage.start(jobs.app({ tasks: [walk] }))
  const { id } = await jobs.enqueue(walk)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 1, run: 2, items: 10 })
  expect(cleaned).toEqual([1])
  expect(each).toEqual([...new Set(each)])
})

test("the article's limits: 3 minutes for every task, 10 seconds for one, which gets the chance to clean up", async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const seen: string[] = []
  let began = 0
  let ms = 0
  const quick = jobs.task({
    name: 'quick',
    interrupt: 'restart',
    timeLimit: '10s',
    retry: false,
    run(_, { signal }) {
      began = performance.now()
      return sleep(170_000, undefined, { signal })
    },
    onTimeout() {
      ms = performance.now() - began
      seen.push('cleaned up')
    },
  })
  const any = jobs.task({
    name: 'any',
    interrupt: 'restart',
    async run(_, { signal }) {
      await sleep(11_500)
      return signal.aborted
    },
  })
  await stage.start(jobs.app({ tasks: [quick, any], defaults: { timeLimit: '3m' } }))
  const ids = await Promise.all([jobs.enqueue(quick), jobs.enqueue(any)])
  expect(await stage.ended(ids[0].id)).toMatchObject({ state: 'failed', error: { code: 'HF_TIME_LIMIT' } })
  expect(ms).toBeGreaterThanOrEqual(9_900) // the claim was made a moment before
  expect(ms).toBeLessThan(13_000)
  expect(seen).toEqual(['cleaned up'])
  expect(await stage.ended(ids[1].id)).toMatchObject({ state: 'completed', result: false })
})
