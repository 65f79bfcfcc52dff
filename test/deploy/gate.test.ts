import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test as serial, vi } from 'vitest'
import { z } from 'zod'
import { dryRun } from '../../src/deploy/gate/dry-run.ts'
import { type Progress, prepare } from '../../src/deploy/gate/prepare.ts'
import type { Prepared } from '../../src/deploy/gate/prepared.ts'
import { range } from '../../src/sources.ts'
import { type DeployScope, listDeploys, markDeploy, overdueDeploys, renewDeploy } from '../../src/store/deploys.ts'
import { type Stage, type StagedWorker, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { end, options } from './support.ts'

const stages = useStages()
vi.setConfig({ testTimeout: 120_000 })
// Most of them wait; each has a stage of its own.
const test = serial.concurrent

/** Tasks of each mode, whose runs the test lets end. */
function shop(stage: Stage) {
  const jobs = stage.holdfast({ queues: { bulk: {}, fast: {} } })
  const gates = new Map<string, () => void>()
  const begun: string[] = []
  const wait = (name: string, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      begun.push(name)
      gates.set(name, resolve)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  const input = z.object({ name: z.string() })
  const finishes = jobs.task({ name: 'finishes', queue: 'bulk', input, run: ({ name }) => wait(name) })
  const restarts = jobs.task({
    name: 'restarts',
    queue: 'bulk',
    interrupt: 'restart',
    input,
    run: ({ name }, { signal }) => wait(name, signal),
  })
  const resumes = jobs.iteration({
    name: 'resumes',
    queue: 'bulk',
    checkpoint: 'periodic',
    items: () => range(0, 1_000_000),
    each: (n) => {
      if (n === 0) begun.push('resumes')
      return sleep(5)
    },
  })
  const quick = jobs.task({ name: 'quick', queue: 'fast', run() {} })
  const app = jobs.app({ tasks: [finishes, restarts, resumes, quick] })
  return { jobs, app, finishes, restarts, resumes, quick, begun, end: (name: string) => gates.get(name)?.() }
}

const claims = (worker: StagedWorker) => until(() => worker.claiming, { what: 'the worker claims' })

test('an idle fleet: every worker answers, the way is free; none claims until it is over', async () => {
  await using stage = await stages()
  const { app, jobs, quick } = shop(stage)
  const workers = await Promise.all([stage.start(app), stage.start(app)])
  const prepared = await prepare(options(stage))
  expect(prepared).toMatchObject({ passed: true, workers: 2, unheard: [], offenders: [], why: null })
  expect(prepared.heardMs).toEqual(expect.any(Number))
  const { id } = await jobs.enqueue(quick)
  await sleep(500)
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0 })
  expect(workers.map(({ claiming }) => claiming)).toEqual([false, false])
  await end(stage, prepared.number)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1 })
  const [deploy] = await listDeploys(stage.db, { most: 1 })
  expect(deploy).toMatchObject({ state: 'finished', owner: 'test', reason: 'a test', held: 0 })
  expect(JSON.parse(deploy?.report ?? '')).toMatchObject({ workers: 2, offenders: [] })
})

test('waits for what may not be cut, and only for that', async () => {
  await using stage = await stages()
  const shopped = shop(stage)
  const { jobs, finishes, restarts, resumes, begun } = shopped
  await stage.start(shopped.app)
  const { id } = await jobs.enqueue(finishes, { name: 'one' })
  await jobs.enqueue(restarts, { name: 'two' })
  const { id: long } = await jobs.enqueue(resumes)
  await until(() => begun.length === 3, { what: 'all three run' })
  const seen: Progress[] = []
  const preparing = prepare(options(stage, { onLook: (progress) => seen.push(progress) }))
  await until(() => seen.some(({ unheard }) => unheard.length === 0), { what: 'the worker has answered' })
  expect(seen.at(-1)?.inTheWay.map(({ job }) => job)).toEqual([id])
  shopped.end('one')
  const prepared = await preparing
  expect(prepared).toMatchObject({ passed: true, interruptible: 2 })
  // What can be interrupted has not been: the workers are still there to be stopped.
  expect(await stage.find(long)).toMatchObject({ state: 'running', interruptions: 0 })
  await end(stage, prepared.number)
})

test('idle: what can be interrupted is handed off and stays queued; the rest is waited for', async () => {
  await using stage = await stages()
  const shopped = shop(stage)
  const { jobs, finishes, restarts, resumes, begun } = shopped
  const worker = await stage.start(shopped.app)
  await jobs.enqueue(finishes, { name: 'one' })
  const { id: again } = await jobs.enqueue(restarts, { name: 'two' })
  const { id: long } = await jobs.enqueue(resumes)
  await until(() => begun.length === 3, { what: 'all three run' })
  const preparing = prepare(options(stage, { require: 'idle' }))
  await stage.reached(again, 'ready')
  await stage.reached(long, 'ready')
  expect(worker.running).toBe(1)
  shopped.end('one')
  const prepared = await preparing
  expect(prepared).toMatchObject({ passed: true, interruptible: 0 })
  for (const id of [again, long]) {
    expect(await stage.find(id)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0 })
  }
  await end(stage, prepared.number)
  await stage.reached(again, 'running')
  await stage.reached(long, 'running')
  expect((await stage.find(long))?.items).toBeGreaterThan(0)
})

test('gives up after its time: names what was in the way, and all claim again', async () => {
  await using stage = await stages()
  const shopped = shop(stage)
  const { jobs, finishes, quick, begun } = shopped
  const worker = await stage.start(shopped.app)
  const { id } = await jobs.enqueue(finishes, { name: 'one' })
  await until(() => begun.length === 1, { what: 'it runs' })
  const prepared = await prepare(options(stage, { timeout: 600 }))
  expect(prepared).toMatchObject({
    passed: false,
    why: 'the time was over',
    offenders: [{ task: 'finishes', job: id, worker: worker.name, interrupt: 'finish', p95Ms: null }],
  })
  expect(prepared.offenders[0]?.ageMs).toBeGreaterThan(500)
  expect(prepared.offenders[0]?.limitMs).toBeGreaterThan(0)
  await stage.ended((await jobs.enqueue(quick)).id)
  const [deploy] = await listDeploys(stage.db, { most: 1 })
  expect(deploy).toMatchObject({ state: 'aborted', why: 'the time was over' })
  expect(JSON.parse(deploy?.report ?? '')).toMatchObject({ offenders: [{ job: id }] })
  shopped.end('one')
})

test('interrupted by hand: all claim again', async () => {
  await using stage = await stages()
  const shopped = shop(stage)
  const { jobs, finishes, quick, begun } = shopped
  await stage.start(shopped.app)
  await jobs.enqueue(finishes, { name: 'one' })
  await until(() => begun.length === 1, { what: 'it runs' })
  const stop = new AbortController()
  const preparing = prepare(options(stage, { signal: stop.signal, onLook: () => stop.abort() }))
  expect(await preparing).toMatchObject({ passed: false, why: 'it was interrupted by hand', offenders: [{}] })
  await stage.ended((await jobs.enqueue(quick)).id)
  shopped.end('one')
})

test('a hold that nobody renews is over by the clock; one that was renewed is not', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  const worker = await stage.start(app)
  const prepared = await prepare(options(stage, { hold: 1_000 }))
  const { id } = await jobs.enqueue(quick)
  expect(await renewDeploy(stage.db, prepared.number, 2_500, ['held'])).toBe(true)
  await sleep(1_500)
  expect(await stage.find(id)).toMatchObject({ state: 'ready' })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  await claims(worker)
  expect(await renewDeploy(stage.db, prepared.number, 2_500, ['held'])).toBe(false)
  expect(await listDeploys(stage.db, { most: 1 })).toMatchObject([{ state: 'expired', held: 0 }])
})

test('after the mark, the old code does not run again when the time is over: it says so', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  const worker = await stage.start(app)
  const prepared = await prepare(options(stage, { hold: 1_000 }))
  expect(await markDeploy(stage.db, prepared.number)).toBe(true)
  const { id } = await jobs.enqueue(quick)
  await worker.logged('had begun to migrate, and its time has run out')
  await sleep(500)
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0 })
  // A late worker of the old code is held, too; one of the new code is not.
  await stage.start(app)
  await sleep(500)
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0 })
  await stage.start(app, { deploy: prepared.token })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  await end(stage, prepared.number)
  await claims(worker)
})

test('after the mark, with the old workers stopped: the oldest of the new ones says that the time is over', async () => {
  await using stage = await stages()
  const { app } = shop(stage)
  const old = await stage.start(app)
  const prepared = await prepare(options(stage, { hold: 500, owner: 'anna@laptop' }))
  expect(await markDeploy(stage.db, prepared.number)).toBe(true)
  await old.shutdown()
  const over = async () => (await overdueDeploys(stage.db)).length === 1
  await until(over, { what: 'its time is over' })
  const next = await stage.start(app, { deploy: prepared.token })
  const said = await next.logged(`Deploy ${prepared.number} of anna@laptop (a test) had begun to migrate`)
  expect(said).toMatchObject({ level: 'error', message: expect.stringContaining(`deploy finish ${prepared.number}`) })
  expect(next.claiming).toBe(true)
})

test('new workers: of the new build, or with the token, they are not held; others are', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  await stage.start(app, { build: 'old' })
  const prepared = await prepare(options(stage, { build: 'new' }))
  expect(prepared).toMatchObject({ passed: true, workers: 1, build: 'new' })
  const late = await stage.start(app, { build: 'old' })
  expect(late.claiming).toBe(true) // until it has heard; the database knows already
  const { id } = await jobs.enqueue(quick)
  await until(() => !late.claiming, { what: 'the late one has heard' })
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0 })
  const next = await stage.start(app, { build: 'new' })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  expect(next.claiming).toBe(true)
  await end(stage, prepared.number)
  await claims(late)
})

test('a build that lives already tells nobody apart: the token does', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  await stage.start(app, { build: 'same' })
  const prepared = await prepare(options(stage, { build: 'same' }))
  expect(prepared).toMatchObject({ passed: true, workers: 1, build: null })
  const { id } = await jobs.enqueue(quick)
  await stage.start(app, { build: 'same' })
  await sleep(500)
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0 })
  await stage.start(app, { build: 'same', deploy: prepared.token })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
})

test('only the workers of its scope are held', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  const bulk = await stage.start(app, { queues: ['bulk'] })
  await stage.start(app, { queues: ['fast'] })
  const prepared = await prepare(options(stage, { scope: { queues: ['bulk'] } }))
  expect(prepared).toMatchObject({ passed: true, workers: 1 })
  expect(await stage.ended((await jobs.enqueue(quick)).id)).toMatchObject({ state: 'completed' })
  expect(bulk.claiming).toBe(false)
})

test.for<[string, DeployScope, DeployScope, boolean]>([
  ['everything, everything', {}, {}, true],
  ['everything, one queue', {}, { queues: ['bulk'] }, true],
  ['the same queue', { queues: ['bulk'] }, { queues: ['bulk', 'fast'] }, true],
  ['two queues', { queues: ['bulk'] }, { queues: ['fast'] }, false],
  ['two apps', { apps: ['a'] }, { apps: ['b'] }, false],
  ['an app, a queue', { apps: ['a'] }, { queues: ['bulk'] }, true],
  ['two hosts', { workers: ['one:%'] }, { workers: ['two:%'] }, false],
])('two deploys: %s', async ([, one, other, meet]) => {
  await using stage = await stages()
  const first = await prepare(
    options(stage, { scope: one, allowNone: true, owner: 'anna@laptop', reason: 'release 5' }),
  )
  expect(first.passed).toBe(true)
  const second = prepare(options(stage, { scope: other, allowNone: true }))
  if (!meet) {
    expect(await second).toMatchObject({ passed: true })
    return
  }
  await expect(second).rejects.toMatchObject({
    code: 'HF_DEPLOY_OVERLAP',
    message: expect.stringMatching(new RegExp(`Deploy ${first.number} of anna@laptop \\(release 5\\)`)),
  })
  await end(stage, first.number)
  expect(await prepare(options(stage, { scope: other, allowNone: true }))).toMatchObject({ passed: true })
})

test.for<[string, DeployScope]>([
  ['a host without its processes', { workers: ['host-a'] }],
  ['a queue with a slip', { queues: ['bluk'] }],
  ['another app', { apps: ['web'] }],
])('a scope in which nobody lives is refused, by the name of who does: %s', async ([, scope]) => {
  await using stage = await stages()
  const { app } = shop(stage)
  const worker = await stage.start(app, { queues: ['bulk'] })
  const refusal = {
    code: 'HF_DEPLOY_NOBODY',
    message: expect.stringMatching(new RegExp(`There are: ${worker.name} \\(.*queues bulk\\)`)),
  }
  await expect(prepare(options(stage, { scope }))).rejects.toMatchObject(refusal)
  await expect(dryRun(stage.db, { scope, require: 'idle', build: undefined })).rejects.toMatchObject(refusal)
  expect(await listDeploys(stage.db, { most: 1 })).toEqual([])
  expect(await prepare(options(stage, { scope, allowNone: true }))).toMatchObject({ passed: true, workers: 0 })
})

test('nobody at all: refused where the scope is narrowed; an empty database is free', async () => {
  await using stage = await stages()
  await expect(prepare(options(stage, { scope: { queues: ['bulk'] } }))).rejects.toMatchObject({
    code: 'HF_DEPLOY_NOBODY',
    message: expect.stringContaining('No worker lives at all'),
  })
  expect(await prepare(options(stage))).toMatchObject({ passed: true, workers: 0 })
})

test('two deploys meet in a worker that serves the queues of both', async () => {
  await using stage = await stages()
  const { app } = shop(stage)
  await stage.start(app)
  await prepare(options(stage, { scope: { queues: ['bulk'] } }))
  await expect(prepare(options(stage, { scope: { queues: ['fast'] } }))).rejects.toMatchObject({
    code: 'HF_DEPLOY_OVERLAP',
  })
})

test('ten that begin at once: one holds, nine hear of it', async () => {
  await using stage = await stages()
  const { app } = shop(stage)
  await stage.start(app)
  const all = await Promise.allSettled(Array.from({ length: 10 }, () => prepare(options(stage))))
  const passed = all.filter((each): each is PromiseFulfilledResult<Prepared> => each.status === 'fulfilled')
  expect(passed).toHaveLength(1)
  for (const each of all)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'HF_DEPLOY_OVERLAP' })
})

// What it sets in the environment is everybody's.
serial('without notifications it is only slower', async () => {
  await using stage = await stages()
  vi.stubEnv('HOLDFAST_LISTEN_URL', 'off')
  const shopped = shop(stage)
  const worker = await stage.start(shopped.app)
  vi.unstubAllEnvs()
  const { id } = await shopped.jobs.enqueue(shopped.finishes, { name: 'one' })
  await stage.reached(id, 'running')
  const preparing = prepare(options(stage, { listenUrl: undefined }))
  await until(() => !worker.claiming, { what: 'the worker has heard' })
  shopped.end('one')
  const prepared = await preparing
  expect(prepared).toMatchObject({ passed: true, unheard: [] })
  await end(stage, prepared.number)
  await claims(worker)
})

test('a worker that cannot answer is held and named; its dead neighbour is taken out of the count', async () => {
  await using stage = await stages()
  const { jobs, app, quick } = shop(stage)
  await stage.start(app)
  const row = `insert into :schema.worker (name, build, release, tasks, queues, manifest) values ($1, 'b', '0', '{quick}', '{fast}', '{}') returning key`
  const [mute] = await stage.sql<{ key: number }>(row, ['mute:1'])
  const [dead] = await stage.sql<{ key: number }>(row, ['dead:1'])
  const lease = `insert into :schema.lease (worker, expires_at) values ($1, clock_timestamp() + $2::interval)`
  await stage.sql(lease, [mute?.key, '1 hour'])
  await stage.sql(lease, [dead?.key, '1 hour'])
  // Once it is held: before, its neighbour might have written it off already.
  const die = () =>
    void stage.sql('update :schema.lease set expires_at = clock_timestamp() where worker = $1', [dead?.key])
  const prepared = await prepare(options(stage, { onBegun: die }))
  expect(prepared).toMatchObject({ passed: true, workers: 2, unheard: ['mute:1'], heardMs: null })
  // Its process may be alive all the same.
  expect(prepared.vanished).toEqual([{ name: 'dead:1', jobs: 0 }])
  expect(await stage.sql('select claiming from :schema.worker where key = $1', [mute?.key])).toEqual([
    { claiming: false },
  ])
  const { id } = await jobs.enqueue(quick)
  await end(stage, prepared.number)
  await stage.ended(id)
})
