import { expect } from 'vitest'
import { boxed1, letter1, letter2, letter3, mail1, only, walk1, walk2, walk3 } from '../fixtures/apps/builds.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import { test, upTo } from './support.ts'

const stages = useStages('create table step (at bigserial, job uuid, n int, build int)')
const ITEMS = 25

/** Which releases take a job of a task and version. */
const TAKEN_BY: Readonly<Record<string, readonly number[]>> = {
  mail: [1, 2, 3, 4],
  letter: [2, 3, 4],
  'letter@2': [3, 4, 5],
  'letter@3': [4, 5],
  walk: [1, 2, 3, 4],
  'walk@2': [3, 4, 5],
  'walk@3': [4, 5],
  boxed: [3],
  ...Object.fromEntries(upTo(6).map((n) => [`only-${n}`, [n]])),
}
/** The version at which a release goes on with a walk. */
const WALKS_AT = [0, 1, 1, 2, 3, 3]

interface Step {
  readonly job: string
  readonly n: number
  readonly build: number
}

test('five releases side by side, under load, replaced one after the other: each job ends once, on one that takes it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const live = new Map<number, WorkerProcess>()
  const everyone: WorkerProcess[] = []
  const start = async (build: number): Promise<void> => {
    const env = { TEST_BUILD: String(build), HOLDFAST_BUILD: `b${build}` }
    const worker = await startWorkerProcess({ app: 'builds', database: stage.database, schema: stage.schema, env })
    live.set(build, worker)
    everyone.push(worker)
  }
  const kinds = new Map<string, string>()
  const enqueue = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) {
      const made = [
        ['mail', await jobs.enqueue(mail1, { n })],
        ['letter', await jobs.enqueue(letter1, { n })],
        ['letter@2', await jobs.enqueue(letter2, { number: n })],
        ['letter@3', await jobs.enqueue(letter3, { to: String(n) })],
        ...(await Promise.all(
          [1, 3, 5].map(async (k) => [`only-${k}`, await jobs.enqueue(only[k] as (typeof only)[number])] as const),
        )),
      ] as const
      for (const [kind, { id }] of made) kinds.set(id, kind)
    }
    const walks = [
      ['walk', await jobs.enqueue(walk1, { to: ITEMS })],
      ['walk', await jobs.enqueue(walk1, { to: ITEMS })],
      ['walk@2', await jobs.enqueue(walk2, { until: ITEMS })],
      ['walk@3', await jobs.enqueue(walk3, { until: ITEMS, step: 1 })],
      ['boxed', await jobs.enqueue(boxed1, { n: 1 })],
    ] as const
    for (const [kind, { id }] of walks) kinds.set(id, kind)
  }
  const steps = () => stage.sql<Step>('select job, n, build from step order by at')
  const steppedBy = (build: number) => async () => (await steps()).some((step) => step.build === build)
  const replace = async (build: number, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
    const worker = live.get(build) as WorkerProcess
    worker.signal(signal)
    await worker.exit()
    live.delete(build)
  }

  // New clients beside old workers: what they enqueue waits, and is named.
  await Promise.all([start(1), start(2)])
  await enqueue()
  await until(async () => (await steppedBy(1)()) || (await steppedBy(2)()), { what: 'an old walk is under way' })
  await everyone[0]
    ?.logged('no live worker of queue default takes version 3 of task letter', 30_000)
    .catch(async () => {
      await everyone[1]?.logged('no live worker of queue default takes version 3 of task letter', 30_000)
    })
  await Promise.all([3, 4, 5].map(start))
  await enqueue()

  // The old ones go first, so that what they began goes on under newer code; then they come back, beside what they must leave alone.
  for (const build of [1, 2]) await replace(build)
  await until(async () => (await steppedBy(3)()) || (await steppedBy(4)()), { what: 'newer code goes on' })
  await Promise.all([start(1), start(2)])
  await enqueue()
  for (const build of [3, 5, 4]) {
    // More walks until one of them is its: whoever has a free slot first takes one.
    const atWork = async (): Promise<boolean> => {
      if ((await running(stage, live.get(build)?.key)) > 0) return true
      const { id } = await jobs.enqueue(walk2, { until: ITEMS })
      kinds.set(id, 'walk@2')
      return false
    }
    await until(atWork, { every: 300, what: `release ${build} is at work` })
    await replace(build, build === 4 ? 'SIGKILL' : 'SIGTERM')
    await start(build)
    await enqueue()
  }
  await until(async () => (await stage.sql(`select from :schema.history`)).length === kinds.size, {
    what: 'all have ended',
    deadline: 90_000,
  })

  const ended = await stage.sql<{
    id: string
    state: number
    run: number
    failures: number
    result: { build: number }
  }>('select id, state, run, failures, result from :schema.history')
  expect(new Set(ended.map(({ id }) => id))).toEqual(new Set(kinds.keys()))
  expect(ended.filter(({ state, failures }) => state !== 20 || failures > 0)).toEqual([])
  const strays = ended.filter(({ id, result }) => {
    const kind = kinds.get(id) as string
    return !(TAKEN_BY[kind] ?? []).includes(result.build) && !kind.startsWith('walk')
  })
  expect(strays, 'ran on a release that does not take it').toEqual([])

  // Every item of every walk once; and once newer code has gone on with a walk, no older code touches it.
  const all = await steps()
  const walks = [...kinds].filter(([, kind]) => kind.startsWith('walk'))
  let handedOn = 0
  for (const [id, kind] of walks) {
    const own = all.filter(({ job }) => job === id)
    expect(own.map(({ n }) => n)).toEqual(upTo(ITEMS))
    const versions = own.map(({ build }) => WALKS_AT[build] as number)
    expect(versions, `versions under which walk ${id} went on`).toEqual(versions.toSorted((a, b) => a - b))
    // Who claimed it first may have left before its first item, with the job at its own version.
    if (ended.find((job) => job.id === id)?.run === 1) expect(TAKEN_BY[kind]).toContain(own[0]?.build)
    if (new Set(versions).size > 1) handedOn++
  }
  // Else nothing of this was put to the test.
  expect(handedOn, 'walks that went on under newer code').toBeGreaterThan(0)
  const told = await stage.sql<{ outcome: string }>('select distinct outcome from :schema.trail')
  expect(told.map(({ outcome }) => outcome).sort()).toEqual(['interrupted', 'lost'])
  expect(new Set(ended.map(({ result }) => result.build))).toEqual(new Set([1, 2, 3, 4, 5]))
  for (const worker of everyone) expect(worker.log.filter(({ level }) => level === 'error')).toEqual([])
  for (const worker of live.values()) await worker[Symbol.asyncDispose]()
})

/** Walks that it has just begun: they go on for longer than it takes to stop it. */
async function running(stage: Awaited<ReturnType<typeof stages>>, worker: number | undefined): Promise<number> {
  const [row] = await stage.sql<{ runs: number }>(
    `select count(*)::int as runs from :schema.job where worker = $1 and state > 0 and task = 'walk'
      and started_at > clock_timestamp() - interval '0.5 s'`,
    [worker],
  )
  return row?.runs ?? 0
}
