import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test as serial } from 'vitest'
import { range } from '../../src/sources.ts'
import { registerWorker, releaseWorker, revokeWorker } from '../../src/store/workers.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { cli, cliJson, start } from './support.ts'

// Most of them wait; each has a stage of its own.
const test = serial.concurrent

const stage = useStages()
const HOSTILE = 'bad \u001b[31mred\u001b[0m \u009b2J \u202e line\nnext postgres://u:s3cret@h/d'

/** How to reach a stage without a config. */
function here(s: Stage): [string[], { env: Record<string, string> }] {
  return [['--schema', s.schema], { env: { DATABASE_URL: s.database } }]
}

function makeApp(s: Stage) {
  const jobs = s.holdfast({ ...s.place, queues: { bulk: {} } })
  const hello = jobs.task({ name: 'hello', run: () => ({ greeting: 'hi' }) })
  const boom = jobs.task({
    name: 'boom',
    retry: { limit: 1, backoff: '1ms', jitter: 'none' },
    run() {
      throw new Error(HOSTILE)
    },
  })
  const count = jobs.iteration({
    name: 'count',
    queue: 'bulk',
    checkpoint: 'periodic',
    items: () => range(0, 10_000),
    each: () => sleep(5),
  })
  return { jobs, hello, boom, count, app: jobs.app({ tasks: [hello, boom, count] }) }
}

test('list and show tell where every job is, what it did, and why', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const { jobs, hello, boom, count, app } = makeApp(s)
  const worker = await s.start(app, { build: 'build-1' })
  const done = await jobs.enqueue(hello)
  await sleep(2)
  const bad = await jobs.enqueue(boom)
  await sleep(2) // ids of one millisecond have no order
  const long = await jobs.enqueue(count)
  await Promise.all([s.ended(done.id), s.ended(bad.id), s.reached(long.id, 'running')])
  await until(async () => ((await s.find(long.id))?.items ?? 0) > 0, { what: 'a checkpoint is saved' })
  await worker.shutdown()
  const late = await jobs.enqueue(hello, undefined, { after: '1h' })

  const [all, failed, plain, table, shown, shownBad, shownLong] = await Promise.all([
    cliJson(['jobs', 'list', ...args], env),
    cliJson(['jobs', 'list', '--state', 'failed,waiting', '--queue', 'default', ...args], env),
    cliJson(['jobs', 'list', '--task', 'nope', ...args], env),
    cli(['jobs', 'list', ...args], env),
    cliJson(['jobs', 'show', done.id, ...args], env),
    cli(['jobs', 'show', bad.id, ...args], env),
    cliJson(['jobs', 'show', long.id, ...args], env),
  ])
  expect(all).toMatchObject({ next: null, complete: true })
  expect(all.jobs.map((job: { id: string; state: string }) => [job.id, job.state])).toEqual([
    [late.id, 'scheduled'],
    [long.id, 'ready'],
    [bad.id, 'failed'],
    [done.id, 'completed'],
  ])
  expect(all.jobs[1]).toMatchObject({ task: 'count', queue: 'bulk', run: 1, interruptions: 1, worker: null })
  expect(all.jobs[1].progress).toMatchObject({ items: expect.any(Number), total: 10_000, etaMs: expect.any(Number) })
  expect(all.jobs[2]).toMatchObject({
    failures: 2,
    run: 2,
    reason: HOSTILE.replace('s3cret', '***'),
    worker: worker.name,
  })
  expect(failed.jobs.map((job: { id: string }) => job.id)).toEqual([late.id, bad.id])
  expect(plain).toEqual({ jobs: [], next: null, complete: true })

  expect(table.stdout).toMatch(/^ID +STATE +TASK +QUEUE/)
  expect(table.stdout).toContain('bad \\u001b[31mred\\u001b[0m \\u009b2J \\u202e line\\nnext postgres://u:***@h/d')
  for (const { stdout } of [table, shownBad]) expect(stdout).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}|s3cret/u)

  expect(shown).toMatchObject({
    state: 'completed',
    result: { greeting: 'hi' },
    input: null,
    trail: [],
    build: 'build-1',
  })
  expect(shownBad.stdout).toMatch(/Error: bad .*\n +at run \(.*jobs\.test\.ts/)
  expect(shownBad.stdout).toMatch(/ 1 +failed +\S+ +build-1[^\n]*\n[^\n]* 2 +failed/)
  expect(shownLong).toMatchObject({
    state: 'ready',
    cursor: { after: expect.any(Number) },
    trail: [{ run: 1, outcome: 'interrupted', reason: 'deploy', worker: worker.name, build: 'build-1' }],
  })
})

test('show tells the whole story: each run with its last lines, what its process died of, and what to worry about', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const jobs = s.holdfast({ ...s.place })
  const speak = jobs.task({
    name: 'speak',
    interrupt: 'restart',
    async run(_, { log, signal }) {
      for (const n of Array.from({ length: 12 }, (__, index) => index)) log.info(`line ${n} ${HOSTILE}`)
      await sleep(60_000, undefined, { signal })
    },
  })
  const { id } = await jobs.enqueue(speak)
  const app = jobs.app({ tasks: [speak] })
  for (const build of ['b1', 'b2']) {
    const worker = await s.start(app, { build })
    await s.reached(id, 'running')
    await worker.shutdown()
  }
  // The third run's process dies of itself, the fourth's as well.
  for (const run of [3, 4]) {
    const key = await registerWorker(s.db, {
      name: `w${run}`,
      build: 'b3',
      release: '0',
      tasks: [],
      queues: [],
      manifest: {},
      lease: 60_000,
    })
    await s.sql(`update :schema.job set state = 1, run = $1, worker = $2, started_at = now() where id = $3`, [
      run,
      key,
      id,
    ])
    await s.sql(`insert into :schema.ledger values ($1, 1, array[$2::uuid], array[$3::int])`, [key, id, run])
    await revokeWorker(s.db, key, true)
    const error = { signal: 'SIGSEGV', pid: 42, stack: '    at spin (/app/x.ts:3:1)' }
    await releaseWorker(s.db, key, { outcome: 'crashed', reason: 'its process was ended by SIGSEGV', error })
  }
  const [page, json] = await Promise.all([
    cli(['jobs', 'show', id, ...args], env),
    cliJson(['jobs', 'show', id, ...args], env),
  ])
  expect(page.stdout).toMatch(/runs +4 runs, 2 interruptions, 2 crashes\n/)
  expect(page.stdout).toMatch(/suspected +2 crashes without progress: it runs alone/)
  expect(page.stdout).toMatch(/warning +Job was interrupted 2 times, and starts from the beginning/)
  expect(page.stdout).toMatch(
    / 1 +interrupted .* b1 .*\n +… 2 lines before\n +[\d:.]+ info +line 2 bad .*\n(.*\n){8} +[\d:.]+ info +line 11 bad/,
  )
  expect(page.stdout).toMatch(
    / 4 +crashed +w4 +b3 .*its process was ended by SIGSEGV\n +signal SIGSEGV, pid 42\n +at spin \(\/app/,
  )
  expect(page.stdout).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}|s3cret/u)
  expect(json).toMatchObject({
    crashes: 2,
    worries: [{ kind: 'starts-over' }],
    trail: [{ run: 1 }, { run: 2 }, { run: 3, outcome: 'crashed', error: { signal: 'SIGSEGV' } }, { run: 4 }],
    logs: [
      { run: 1, said: 12 },
      { run: 2, said: 12 },
    ],
  })
  expect(json.logs[0].lines).toHaveLength(12)
})

test('a list goes on where the page before ended', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const { jobs, hello } = makeApp(s)
  const ids: string[] = []
  for (let n = 0; n < 3; n++) ids.push((await jobs.enqueue(hello)).id)
  ids.sort()
  const first = await cliJson(['jobs', 'list', '--limit', '2', ...args], env)
  expect(first.jobs.map((job: { id: string }) => job.id)).toEqual([ids[2], ids[1]])
  expect(first.next).toBe(ids[1])
  const second = await cliJson(['jobs', 'list', '--limit', '2', '--after', first.next, ...args], env)
  expect(second).toMatchObject({ jobs: [{ id: ids[0] }], next: null })
})

test('pause, resume, cancel and retry steer a running iteration, and say so', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const { jobs, count, app } = makeApp(s)
  await s.start(app)
  const { id } = await jobs.enqueue(count)
  await s.reached(id, 'running')

  const paused = await cli(['jobs', 'pause', id, '--reason', 'look at it', '--for', '2h', ...args], env)
  expect(paused).toMatchObject({ code: 0, stderr: '' })
  expect(paused.stdout).toContain('an iteration rests at its next checkpoint')
  const { items } = await s.reached(id, 'paused')
  const again = await cli(['jobs', 'pause', id, '--reason', 'again', ...args], env)
  expect(again.stdout).toContain('is paused for 7d')
  const [waiting] = await s.sql<{ reason: string; hours: number }>(
    `select reason, extract(epoch from due_at - now()) / 3600 as hours from :schema.waiting where id = $1`,
    [id],
  )
  expect(waiting?.reason).toMatch(new RegExp(`^.+@${hostname()}: again$`))
  expect(Number(waiting?.hours)).toBeCloseTo(7 * 24, 1)
  expect((await cli(['jobs', 'retry', id, ...args], env)).stderr).toContain('`holdfast jobs resume` lets it go on')

  expect(await cliJson(['jobs', 'resume', id, ...args], env)).toEqual({
    jobs: [{ id, done: true, state: 'ready', message: 'is ready again, and goes on where it was' }],
  })
  await s.reached(id, 'running')
  expect((await s.find(id))?.items).toBeGreaterThanOrEqual(items ?? 0)

  const cancelled = await cli(['jobs', 'cancel', id, '--reason', 'enough', ...args], env)
  expect(cancelled.stdout).toContain('was asked to stop')
  expect((await s.ended(id)).error?.message).toBe('enough')

  const known = await cliJson(['jobs', 'cancel', id, '01980000-0000-7000-8000-000000000000', ...args], env)
  expect(known.jobs).toMatchObject([
    { done: false, state: 'cancelled', message: 'had ended: cancelled' },
    { done: false, state: null, message: 'is no job, or was deleted' },
  ])
  const retried = await cli(['jobs', 'retry', id, ...args], env)
  expect(retried).toMatchObject({ code: 0, stdout: expect.stringContaining('is ready again') })
  await s.reached(id, 'running')
})

test('what could not be done is an exit code', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const id = '01980000-0000-7000-8000-000000000000'
  const [shown, resumed] = await Promise.all([
    cli(['jobs', 'show', id, ...args], env),
    cli(['jobs', 'resume', id, ...args], env),
  ])
  expect(shown).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[HF_JOB_NOT_FOUND]') })
  expect(resumed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is no job') })
})

test('show --watch follows a job to its end, a line for each change', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const { jobs, hello, app } = makeApp(s)
  const { id } = await jobs.enqueue(hello)
  await using watching = start(['jobs', 'show', id, '--watch', '--json', ...args], env)
  await until(() => watching.lines.length === 1, { what: () => `it says what it sees: ${watching.said}` })
  await s.start(app)
  expect(await watching.ended()).toBe(0)
  expect(watching.lines[0]).toMatchObject({ id, state: 'ready' })
  expect(watching.lines.at(-1)).toMatchObject({ id, state: 'completed', result: { greeting: 'hi' } })
})

test('queues counts what waits, in which way, and who serves it', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const { jobs, hello, count } = makeApp(s)
  const { id } = await jobs.enqueue(count)
  await s.start(jobs.app({ tasks: [count] }), { queues: ['bulk'] })
  await s.reached(id, 'running')
  await s.db.run('enqueue_later', [
    '{01980000-0000-7000-8000-000000000001}',
    '{old}',
    '{hello}',
    '{1}',
    '{5}',
    [null],
    [null],
    [null],
    '{3600000}',
    [null],
  ])
  await jobs.enqueue(hello)
  const { queues, waitingComplete } = await cliJson(['queues', ...args], env)
  const unserved: object[] = []
  const none = { scheduled: 0, retrying: 0, snoozed: 0, paused: 0, parked: 0 }
  const common = { declared: null, readyIsMore: false }
  expect(queues).toEqual([
    { queue: 'bulk', ...common, ready: 0, oldestMs: null, running: 1, workers: 1, unserved, waiting: none },
    {
      ...{ queue: 'default', ...common, ready: 1, oldestMs: expect.any(Number), running: 0, workers: 0, waiting: none },
      unserved: [{ task: 'hello', version: 1, jobs: 1, lack: 'queue' }],
    },
    {
      queue: 'old',
      ...common,
      ready: 0,
      oldestMs: null,
      running: 0,
      workers: 0,
      unserved,
      waiting: { ...none, scheduled: 1 },
    },
  ])
  expect(waitingComplete).toBe(true)
  const plain = await cli(['queues', ...args], env)
  expect(plain.stdout).toMatch(/^default +1 +\d.*no worker serves it$/m)
})

test('queues: what cannot be counted in time does not cost the rest', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const jobs = s.holdfast({ ...s.place })
  await jobs.enqueue(jobs.task({ name: 'hello', run: () => {} }))
  const other = {
    name: 'w',
    build: 'b',
    release: '0',
    tasks: ['other'],
    queues: ['default'],
    manifest: {},
    lease: 60_000,
  }
  await registerWorker(s.db, other)
  // A function that only the count of jobs that nobody takes calls takes its time.
  await s.sql(`create function :schema.split_part(text, text, integer) returns text language plpgsql as
    'begin perform pg_sleep(30); return null; end'`)
  const slow = new URL(s.database)
  slow.searchParams.set('options', `-c search_path=${s.schema},pg_catalog`)
  const there = { ...env, env: { ...env.env, DATABASE_URL: slow.href } }
  const [plain, json] = await Promise.all([cli(['queues', ...args], there), cliJson(['queues', ...args], there)])
  expect(plain).toMatchObject({ code: 0, stdout: expect.stringMatching(/^default +1 /m) })
  expect(plain.stdout + plain.stderr).toContain('counting them took too long')
  expect(json).toMatchObject({ unservedKnown: false, queues: [{ queue: 'default', ready: 1 }] })
  expect(await cliJson(['queues', ...args], env)).toMatchObject({ unservedKnown: true })
})

test('a job that no live worker takes says so, wherever it is looked at', async () => {
  await using s = await stage()
  const [args, env] = here(s)
  const jobs = s.holdfast({ ...s.place })
  const contract = jobs.contract({ name: 'send', version: 2 })
  const send = jobs.task({ name: 'send', run: () => {} })
  await s.start(jobs.app({ tasks: [send] }))
  const { id } = await jobs.enqueue(contract)
  const [list, shown, queues, plainList, plainShow, plainQueues] = await Promise.all([
    cliJson(['jobs', 'list', ...args], env),
    cliJson(['jobs', 'show', id, ...args], env),
    cliJson(['queues', ...args], env),
    cli(['jobs', 'list', ...args], env),
    cli(['jobs', 'show', id, ...args], env),
    cli(['queues', ...args], env),
  ])
  expect(list.jobs).toMatchObject([{ id, state: 'ready', version: 2, lack: 'version' }])
  expect(shown).toMatchObject({ id, version: 2, lack: 'version' })
  expect(queues.queues).toMatchObject([{ unserved: [{ task: 'send', version: 2, jobs: 1, lack: 'version' }] }])
  const why = 'no live worker of queue default takes version 2 of task send'
  expect(plainList.stdout).toContain(why)
  expect(plainShow.stdout).toMatch(new RegExp(`waits +${why}`))
  expect(plainQueues.stdout).toContain('no worker takes send@2: 1 job')
})
