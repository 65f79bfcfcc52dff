import { existsSync } from 'node:fs'
import { chmod, readFile, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { isRunning, kill } from '../support/processes.ts'
import { openProxy } from '../support/proxy.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { alive, COUNT, cli, config, enqueue, project, type Running, work } from './support.ts'

const stage = useStages()
// Processes that start processes, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
const TASKS = {
  count: COUNT,
  poison: `jobs.task({ name: 'poison', run() { process.exit(3) } })`,
  leave: `jobs.task({ name: 'leave', async run() { await sleep(10); process.exit(3) } })`,
}

/** The process of the worker that was started as number `n` (0: the first). */
async function pidOf(worker: Running, n = 0): Promise<number> {
  const started = () => worker.lines.filter((line) => line.event === 'started')
  await until(() => started().length > n, { what: () => `process ${n} has started; it said ${worker.said}` })
  return Number(started()[n]?.['pid'])
}

test('a worker process that is killed: its jobs run elsewhere at once, and another one takes its place', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app, ['--processes', '2'])
  await pidOf(worker, 1)
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')
  const [held] = await s.sql<{ worker: number }>('select worker from :schema.job where id = $1', [id])
  const victim = worker.lines.find((line) => line.event === 'started' && line['key'] === held?.worker)
  process.kill(Number(victim?.['pid']), 'SIGKILL')
  const died = await worker.line('killed by SIGKILL')
  expect(died).toMatchObject({ event: 'died', jobs: 1, worker: held?.worker, signal: 'SIGKILL' })
  // The lease of twelve seconds plays no part in it.
  await until(async () => (await s.find(id))?.run === 2, { deadline: 5_000, what: 'it runs elsewhere' })
  expect(await s.find(id)).toMatchObject({ crashes: 0, losses: 0, interruptions: 1, failures: 0 })
  await pidOf(worker, 2)
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped', handedOff: 1, left: 0 })
  expect(await alive(s)).toEqual([])
})

test('a job that ends its process: a crash of the job, with the exit code; the others beside it run on elsewhere', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(`${TASKS.count}, ${TASKS.leave}`) })
  await using worker = work(s, app)
  await pidOf(worker)
  const beside = await enqueue(s, app, 'count')
  await s.reached(beside, 'running')
  const id = await enqueue(s, app, 'leave')
  await worker.line('exited with code 3')
  await until(async () => ((await s.find(id))?.crashes ?? 0) >= 1, { what: 'the crash is counted' })
  const [told] = await s.sql('select outcome, error from :schema.trail where job = $1 order by run', [id])
  expect(told).toMatchObject({ outcome: 'crashed', error: { name: 'Crashed', exitCode: 3 } })
  await until(async () => ((await s.find(beside))?.run ?? 0) >= 2, { what: 'the other one runs again' })
  expect(await s.find(beside)).toMatchObject({ failures: 0, losses: 0 })
})

test('a job that ends its process as the first thing that the process does: a crash all the same, and the supervisor stays', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.poison) })
  const ids = await Promise.all([1, 2, 3].map(() => enqueue(s, app, 'poison')))
  await using worker = work(s, app)
  // Two processes die of all three; after that each is alone, and proves its guilt.
  for (const id of ids) await s.reached(id, 'parked', 90_000)
  for (const id of ids) expect(await s.find(id)).toMatchObject({ losses: 0, failures: 0, interruptions: 0 })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
})

test("what code of the app sends to its parent is none of the supervisor's business", async () => {
  await using s = await stage()
  const chatter = `for (const word of ['ready', null, 7, [], {}, { kind: 'started' }, { kind: 'beat' }, { kind: 'stopped', drained: 1 }]) process.send?.(word)\n`
  const chat = `jobs.task({ name: 'chat', async run() { ${chatter} await sleep(500) } })`
  await using app = await project({ 'holdfast.config.ts': `${config(`${TASKS.count}, ${chat}`)}\n${chatter}` })
  await using worker = work(s, app, ['--port', '0'])
  const pid = await pidOf(worker)
  const { url } = await worker.line('Health and metrics at')
  await s.ended(await enqueue(s, app, 'chat'))
  expect((await fetch(`${url}/metrics`)).status).toBe(200)
  expect(isRunning(pid)).toBe(true)
  // It still knows where the jobs are.
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')
  process.kill(pid, 'SIGKILL')
  expect(await worker.line('killed by SIGKILL')).toMatchObject({ event: 'died', jobs: 1 })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(worker.stderr).toBe('')
})

test('a supervisor that is killed leaves no orphan: its worker process hands off and goes', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app)
  const pid = await pidOf(worker)
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')
  worker.child.kill('SIGKILL')
  await until(() => !isRunning(pid), { what: 'the worker process has left' })
  expect(await s.find(id)).toMatchObject({ state: 'ready', interruptions: 1, losses: 0, crashes: 0 })
  expect(await alive(s)).toEqual([])
})

test('one whose supervisor is dead settles by itself the job that blocks it for too long', async () => {
  await using s = await stage()
  const jam = `jobs.task({ name: 'jam', timeLimit: { soft: '1s', hard: '4s' }, retry: false, run() { for (;;); } })`
  await using app = await project({ 'holdfast.config.ts': config(jam) })
  await using worker = work(s, app)
  const pid = await pidOf(worker)
  const id = await enqueue(s, app, 'jam')
  await s.reached(id, 'running')
  worker.child.kill('SIGKILL')
  expect(await s.ended(id, 30_000)).toMatchObject({ state: 'failed', losses: 0, error: { code: 'HF_HARD_LIMIT' } })
  await until(() => !isRunning(pid), { what: 'the worker process has left' })
})

test('a signal to the whole group means the same as one to the supervisor', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app)
  const pid = await pidOf(worker)
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGTERM'] as const) {
    kill(pid, signal)
    worker.child.kill(signal)
  }
  expect(await worker.ended()).toBe(0)
  expect(isRunning(pid)).toBe(false)
  expect(worker.lines.filter((line) => line.event === 'stopped')).toMatchObject([{ handedOff: 1, left: 0 }])
  expect(await s.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1 })
})

test.for(['SIGUSR1', 'SIGTSTP'] as const)(
  '%s: nothing more is claimed, what runs runs on, and SIGCONT changes nothing',
  async (signal) => {
    await using s = await stage()
    await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
    await using worker = work(s, app, ['--port', '0'])
    await pidOf(worker)
    const ask = await healthOf(worker)
    await until(async () => (await ask('/readyz')) === '200 ok', { what: () => `it is ready; it said ${worker.said}` })
    const before = await enqueue(s, app, 'count')
    await s.reached(before, 'running')
    worker.child.kill(signal)
    await worker.line(`Quiet by ${signal}`)
    worker.child.kill('SIGCONT')
    await until(async () => (await ask('/readyz')).startsWith('503'), { what: 'it is not ready any more' })
    expect(await ask('/readyz')).toBe('503 quiet: nothing is claimed')
    expect(await ask('/livez')).toBe('200 ok')
    const metrics = () => ask('/metrics')
    await until(async () => (await metrics()).includes('\nholdfast_runs 1\n'), { what: 'the run is counted' })
    expect(await metrics()).toMatch(/^holdfast_worker_processes 1$/m)
    expect(await metrics()).toMatch(/^holdfast_draining 1$/m)
    expect(await ask('/else')).toMatch(/^404/)
    const after = await enqueue(s, app, 'count')
    // Its poll comes round more than once in this time, and its notification is heard in the first.
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(await s.find(after)).toMatchObject({ state: 'ready', run: 0 })
    expect(await s.find(before)).toMatchObject({ state: 'running', run: 1 })
    worker.child.kill('SIGTERM')
    expect(await worker.ended()).toBe(0)
  },
)

test('a process that dies while nothing more is to be claimed has no successor, and its jobs wait for others', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app, ['--processes', '2'])
  const [pid] = [await pidOf(worker), await pidOf(worker, 1)]
  const ids = [await enqueue(s, app, 'count'), await enqueue(s, app, 'count')]
  for (const id of ids) await s.reached(id, 'running')
  worker.child.kill('SIGUSR1')
  await worker.line('Quiet by SIGUSR1')
  for (const line of worker.lines.filter(({ event }) => event === 'started'))
    process.kill(Number(line['pid']), 'SIGKILL')
  await worker.line('No new worker process starts: quiet')
  for (const id of ids) await s.reached(id, 'ready')
  expect(isRunning(pid)).toBe(false)
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(worker.lines.filter(({ event }) => event === 'started')).toHaveLength(2)
  for (const id of ids) expect(await s.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1, crashes: 0 })
})

test('one that is quiet before its first process works claims nothing at all', async () => {
  await using s = await stage()
  const slow = `import { writeFileSync } from 'node:fs'\n${config(TASKS.count)}
    if (process.send) { writeFileSync('loading', ''); await sleep(1_000) }`
  await using app = await project({ 'holdfast.config.ts': slow })
  const id = await enqueue(s, app, 'count')
  await using worker = work(s, app, ['--port', '0'])
  const ask = await healthOf(worker)
  await until(() => existsSync(path.join(app.folder, 'loading')), { what: 'its process loads the app' })
  worker.child.kill('SIGTSTP')
  await worker.line('Quiet by SIGTSTP')
  await pidOf(worker)
  expect(await ask('/readyz')).toBe('503 quiet: nothing is claimed')
  // Its first claim would have come at once.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await s.find(id)).toMatchObject({ state: 'ready', items: null })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(await s.find(id)).toMatchObject({ state: 'ready', items: null, interruptions: 0 })
})

/** What the health port answers: status and text. */
async function healthOf(worker: Running): Promise<(path: string) => Promise<string>> {
  const { url } = await worker.line('Health and metrics at')
  return async (path) => {
    const response = await fetch(`${url}${path}`)
    return `${response.status} ${(await response.text()).trim()}`
  }
}

test('/readyz: while the database answers, its schema is the right one, and nobody is stopping; /livez all the time', async () => {
  await using s = await stage()
  await using proxy = await openProxy(s.database)
  const slow = `jobs.task({ name: 'slow', timeLimit: '10s', run: () => sleep(3_000) })`
  await using app = await project({ 'holdfast.config.ts': config(slow) })
  await using worker = work(s, app, ['--port', '0'], { DATABASE_URL: proxy.url })
  await pidOf(worker)
  const ask = await healthOf(worker)
  const ready = () => until(async () => (await ask('/readyz')) === '200 ok', { what: () => `ready; ${worker.said}` })
  await ready()
  proxy.blackhole = true
  const begun = performance.now()
  expect(await ask('/readyz')).toBe('503 the database gives no answer')
  expect(performance.now() - begun).toBeLessThan(2_000)
  expect(await ask('/livez')).toBe('200 ok')
  proxy.blackhole = false
  await ready()
  // What the worker process asked for meanwhile is lost, and not waited for here.
  proxy.reset()
  await s.sql(`insert into :schema.migration (number, name, kind, release) values (99, 'break', 'breaking', '9')`)
  const broken = /^503 The schema .* this code knows version \d+, and migration 99 \(break\) broke with it/
  await until(async () => broken.test(await ask('/readyz')), { what: 'it tells of the schema' })
  await s.sql('delete from :schema.migration where number = 99')
  await ready()
  const id = await enqueue(s, app, 'slow')
  await s.reached(id, 'running')
  worker.child.kill('SIGTERM')
  await until(async () => (await ask('/readyz')) === '503 stopping', { every: 1, what: 'it says that it stops' })
  expect(await ask('/livez')).toBe('200 ok')
  expect(await worker.ended()).toBe(0)
  expect(await s.find(id)).toMatchObject({ state: 'completed' })
})

test('a database that takes its time to give jobs back holds up neither the next process nor the news of the death', async () => {
  await using s = await stage()
  await using proxy = await openProxy(s.database)
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app, ['--port', '0'], { DATABASE_URL: proxy.url })
  const ask = await healthOf(worker)
  const pid = await pidOf(worker)
  await until(async () => (await ask('/readyz')) === '200 ok', { what: 'it is ready' })
  const pass = proxy.hold('alive = false', 'message')
  process.kill(pid, 'SIGKILL')
  const release = await pass
  // The first statement of the release is on its way, and stays there.
  expect(await ask('/readyz')).toBe('503 no worker process claims jobs')
  await pidOf(worker, 1)
  expect(await worker.line('Its jobs could not be given back')).toMatchObject({
    msg: expect.stringContaining('killed by SIGKILL'),
    signal: 'SIGKILL',
  })
  release()
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
})

test('a config that stops working: later and later, and never not at all', async () => {
  await using s = await stage()
  const once = `import { existsSync, writeFileSync } from 'node:fs'
    if (existsSync('started')) throw new Error('not again')
    writeFileSync('started', '')\n`
  await using app = await project({ 'holdfast.config.ts': `${once}${config(TASKS.count)}` })
  await using worker = work(s, app)
  process.kill(await pidOf(worker), 'SIGKILL')
  await worker.line('A new worker process starts now')
  await worker.line('A new worker process starts in 500ms, after 2 deaths in a row')
  await worker.line('A new worker process starts in 1s, after 3 deaths in a row')
  expect(worker.lines.filter((line) => line.event === 'replacing').map((line) => line.level)).toEqual([
    'warn',
    'error',
    'error',
  ])
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
})

test('what no worker process can start from is an exit code', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': `throw new Error('broken')` })
  const env = { DATABASE_URL: s.database, TEST_SCHEMA: s.schema }
  const [broken, processes, port] = await Promise.all([
    cli(['work', '--processes', '2'], { cwd: app.folder, env }),
    cli(['work', '--processes', 'many'], { cwd: app.folder, env }),
    cli(['work', '--port', '-1'], { cwd: app.folder, env }),
  ])
  expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('broken') })
  expect(processes).toMatchObject({ code: 2, stderr: expect.stringContaining('--processes') })
  expect(port.code).toBe(2)
})

test('systemd is told when every worker process is at work, and when it stops', async () => {
  await using s = await stage()
  // What the system's own program was asked to say, and to whom.
  const program = '#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> "$SAID"\n'
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count), 'bin/systemd-notify': program })
  await chmod(path.join(app.folder, 'bin/systemd-notify'), 0o755)
  const said = path.join(app.folder, 'said')
  const heard = async () => (await readFile(said, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  const PATH = `${path.join(app.folder, 'bin')}:${process.env['PATH']}`
  {
    await using worker = work(s, app, ['--processes', '2'], { PATH, SAID: said, NOTIFY_SOCKET: '/run/somewhere' })
    await until(async () => (await heard()).length > 0, { what: 'it says that it is ready' })
    expect(await alive(s)).toHaveLength(2)
    worker.child.kill('SIGTERM')
    expect(await worker.ended()).toBe(0)
    // Another process says it, which may end later.
    await until(async () => (await heard()).length > 1, { what: 'it says that it stops' })
    expect(await heard()).toEqual([`/run/somewhere --ready --pid=${worker.child.pid}`, '/run/somewhere --stopping'])
  }
  await rm(said)
  await using unheard = work(s, app, [], { PATH, SAID: said })
  await pidOf(unheard)
  unheard.child.kill('SIGTERM')
  expect(await unheard.ended()).toBe(0)
  expect(await heard(), 'nobody asked').toEqual([])
})

test('--processes auto: one for each core', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app, ['--processes', 'auto', '--port', '0'])
  const cores = availableParallelism()
  await pidOf(worker, cores - 1)
  const { url } = await worker.line('Health and metrics at')
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(`\nholdfast_worker_processes ${cores}\n`)
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
})
