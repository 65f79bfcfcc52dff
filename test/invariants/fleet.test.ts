import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Snooze } from '../../src/index.ts'
import { useStages } from '../support/stage.ts'

const stages = useStages()

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

describe('the database clock decides', () => {
  test.for([-10, 10])('a fleet whose clocks are %i years off does everything on time', async (years) => {
    await using stage = await stages()
    const jobs = stage.holdfast()
    let runs = 0
    const work = jobs.task({
      name: 'work',
      retry: { limit: 3, backoff: '100ms' },
      run() {
        runs++
        if (runs === 1) throw new Error('once')
        if (runs === 2) throw new Snooze('100ms')
      },
    })
    // The clock alone: timers go on as they do.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(new Date().getUTCFullYear() + years, 0) })
    const worker = await stage.start(jobs.app({ tasks: [work], lease: '2s' }))
    const ids = [await jobs.enqueue(work, undefined, { after: '100ms', expires: '1h' })]
    expect(await stage.ended(ids[0]?.id ?? '')).toMatchObject({ state: 'completed', run: 3, failures: 1 })

    const later = await jobs.enqueue(work, undefined, { after: '1h' })
    // Longer than the lease: it was renewed meanwhile, and nobody took it for lost.
    await sleep(2_500)
    expect(await stage.find(later.id)).toMatchObject({ state: 'scheduled' })
    expect(worker.log.filter(({ level }) => level !== 'info').map(({ message }) => message)).toEqual([
      'Job failed: once',
    ])
  })

  test('no layer of the engine asks for the time of day', () => {
    const src = path.join(import.meta.dirname, '../../src')
    const layers = ['model', 'store', 'tasks', 'engine', 'deploy']
    const files = layers.flatMap((layer) =>
      readdirSync(path.join(src, layer), { recursive: true, encoding: 'utf8' }).map((file) => path.join(layer, file)),
    )
    const asking = files.filter(
      (file) =>
        file.endsWith('.ts') && /\bDate\.now\(|new Date\(\)(?!,? takes)/.test(withoutText(path.join(src, file))),
    )
    // Other systems' fleets have no database clock: what their workers say of times is of the machines' own.
    const ours = asking.filter((file) => !file.startsWith(path.join('deploy', 'fleets')))
    // The doctor measures how far the clocks are apart.
    expect(ours).toEqual([path.join('store', 'health.ts')])
  })
})

test('polling alone is correct: without LISTEN, a worker finds what was enqueued, promoted and given back', async () => {
  await using stage = await stages()
  vi.stubEnv('HOLDFAST_LISTEN_URL', 'off')
  const jobs = stage.holdfast()
  let runs = 0
  const work = jobs.task({
    name: 'work',
    run() {
      runs++
      if (runs === 2) throw new Snooze('50ms')
    },
  })
  await stage.start(jobs.app({ tasks: [work], pollInterval: '100ms' }))
  const listening = await stage.sql(
    `select from pg_stat_activity where datname = current_database() and query ilike 'listen%' and query like '%' || $1 || '%'`,
    [stage.schema],
  )
  expect(listening, 'sessions that listen').toEqual([])
  // Long after the worker has found nothing.
  await sleep(300)
  const ids = [
    await jobs.enqueue(work),
    await jobs.enqueue(work),
    await jobs.enqueue(work, undefined, { after: '200ms' }),
  ]
  for (const { id } of ids) expect(await stage.ended(id, 5_000)).toMatchObject({ state: 'completed', failures: 0 })
  expect(runs).toBe(4)
})

test('a job that the workers there are too old for waits for one that knows it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const known = jobs.task({ name: 'known', run: () => 'old' })
  const young = jobs.task({ name: 'young', run: () => 'new' })
  const old = await stage.start(jobs.app({ tasks: [known], pollInterval: '50ms' }), { build: 'old' })
  const waiting = await jobs.enqueue(young)
  // What comes after it is not held up by it.
  const { id } = await jobs.enqueue(known)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: 'old' })
  expect(await stage.find(waiting.id)).toMatchObject({ state: 'ready', run: 0, failures: 0 })
  await stage.start(jobs.app({ tasks: [known, young], pollInterval: '50ms' }), { build: 'new' })
  expect(await stage.ended(waiting.id)).toMatchObject({ state: 'completed', result: 'new', run: 1, failures: 0 })
  expect(old.log.filter(({ level }) => level !== 'info')).toEqual([])
})

function withoutText(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'/g, '')
}
