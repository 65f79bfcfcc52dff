import { readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { kill } from '../support/processes.ts'
import { useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { alive, COUNT, cli, config, enqueue, project, start, work } from './support.ts'

const stage = useStages()
// Processes that start processes, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
const TASKS = {
  count: COUNT,
  stubborn: `jobs.task({ name: 'stubborn', timeLimit: '1s', async run() { console.error('in it'); await sleep(60_000) } })`,
  rude: `jobs.task({ name: 'rude', run() { setTimeout(() => { throw new Error('nobody catches me') }) ; return sleep(60_000) } })`,
  patient: `jobs.task({ name: 'patient', timeLimit: '20s', run: (_, { signal }) => sleep(15_000, undefined, { signal }) })`,
  hello: `jobs.task({ name: 'hello', async run() { await sleep(10) } })`,
}

test('says who it is, hands off at the first stop signal, counts the others, and leaves with 0', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.count) })
  await using worker = work(s, app, ['--build', 'abc', '--concurrency', '7', '--queues', 'bulk,realtime'], {
    HOLDFAST_GRACE: '20s',
  })
  const started = await worker.line('Worker started')
  expect(started).toMatchObject({
    event: 'started',
    build: 'abc',
    queues: 'bulk,realtime',
    concurrency: 7,
    schema: s.schema,
    grace: '20s',
    budget: '18s',
  })
  expect(started.database).toMatch(/^postgres:\/\/\w+(:\*\*\*)?@127\.0\.0\.1:\d+\/test_/)
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')

  const { child } = worker
  child.kill('SIGINT')
  await worker.line('Stopping by SIGINT')
  child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(worker.lines.find((line) => line.event === 'stopping')).toMatchObject({ runs: 1, budgetMs: 18_000 })
  expect(worker.lines.at(-1)).toMatchObject({ level: 'info', event: 'stopped', handedOff: 1, finished: 0, left: 0 })
  expect(await s.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1 })
  expect(await alive(s)).toEqual([])
  expect(worker.stderr).toBe('')
})

test('code that does not end keeps neither the process nor its job', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.stubborn) })
  await using worker = work(s, app, [], { HOLDFAST_GRACE: '2s' })
  await worker.line('Worker started')
  const id = await enqueue(s, app, 'stubborn')
  await until(() => worker.stderr.includes('in it'), { what: 'its code runs' })
  worker.child.kill('SIGTERM')
  await worker.line('Stopping by SIGTERM')
  const begun = performance.now()
  worker.child.kill('SIGTERM')
  expect((await worker.line('SIGTERM again: 1 run left')).leftMs).toBeLessThanOrEqual(2_000)
  expect(await worker.ended()).toBe(0)
  expect(performance.now() - begun).toBeLessThan(2_000 + SLOW_MACHINE)
  expect(worker.lines.at(-1)).toMatchObject({ level: 'warn', event: 'stopped', left: 1 })
  await using next = work(s, app, [], { HOLDFAST_GRACE: '2s' })
  await until(async () => (await s.find(id))?.run === 2, { what: () => `another worker runs it; it said ${next.said}` })
  expect(await s.find(id)).toMatchObject({ losses: 0, failures: 0, crashes: 0, interruptions: 1 })
})

test('an exception that nobody catches ends the worker process, after handing off, and another one takes its place', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(`${TASKS.count}, ${TASKS.rude}`) })
  await using worker = work(s, app, [], { HOLDFAST_GRACE: '3s' })
  await worker.line('Worker started')
  const id = await enqueue(s, app, 'count')
  await s.reached(id, 'running')
  await enqueue(s, app, 'rude')
  const said = await worker.line('uncaught exception: nobody catches me')
  expect(said).toMatchObject({ level: 'error', stack: expect.stringContaining('holdfast.config.ts') })
  await worker.line('A new worker process starts now')
  await until(async () => (await s.find(id))?.run === 2, { what: () => `it runs again; it said ${worker.said}` })
  expect(await s.find(id)).toMatchObject({ interruptions: 1, crashes: 0 })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
})

test('HOLDFAST_SIGTERM=cold: everything stops at once, whatever the app says; nothing else than a mode is taken', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.patient) })
  await using worker = work(s, app, [], { HOLDFAST_SIGTERM: 'cold' })
  await worker.line('Worker started')
  const id = await enqueue(s, app, 'patient')
  await s.reached(id, 'running')
  worker.child.kill('SIGTERM')
  expect(await worker.ended(10_000)).toBe(0)
  expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped', handedOff: 1 })
  expect(await s.find(id)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0 })
  await using wrong = work(s, app, [], { HOLDFAST_SIGTERM: 'hot' })
  expect(await wrong.ended()).toBe(1)
  expect(wrong.stderr).toContain('HOLDFAST_SIGTERM')
})

test.concurrent('a stop signal while the config is loading', async ({ expect }) => {
  await using s = await stage()
  const slow = `console.error('loading'); setInterval(() => {}, 1_000); await new Promise(() => {});\n${config(TASKS.hello)}`
  await using app = await project({ 'holdfast.config.ts': slow })
  await using worker = work(s, app)
  await until(() => worker.stderr.includes('loading'), { what: 'the config is loading' })
  worker.child.kill('SIGTERM')
  expect(await worker.ended(5_000)).toBe(0)
  expect(worker.lines).toMatchObject([{ msg: 'Stopped by SIGTERM before the worker had started', event: 'stopped' }])
})

test.concurrent('a stop signal while the worker registers: what was registered says goodbye', async ({ expect }) => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.hello) })
  const blocker = new pg.Client({ connectionString: s.database })
  await blocker.connect()
  await blocker.query(`begin; lock table ${s.schema}.worker in exclusive mode`)
  await using worker = work(s, app)
  const waiting = `select from pg_locks where not granted and relation = ':schema.worker'::regclass`
  await until(async () => (await s.sql(waiting)).length > 0, { what: () => `it registers; it said ${worker.said}` })
  worker.child.kill('SIGTERM')
  await blocker.end()
  expect(await worker.ended()).toBe(0)
  expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped', handedOff: 0, left: 0 })
  expect(await s.sql('select alive from :schema.worker')).toEqual([{ alive: false }])
  expect(await s.sql('select worker from :schema.lease')).toEqual([])
})

test.concurrent('a stop signal while the embedded server starts', async ({ expect }) => {
  await using app = await project({ 'holdfast.config.ts': config(TASKS.hello) })
  await using worker = start(['work'], { cwd: app.folder })
  const begun = () =>
    readFile(path.join(app.folder, '.holdfast/.gitignore')).then(
      () => true,
      () => false,
    )
  await until(begun, { what: () => `the server starts; it said ${worker.said}` })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped' })
  expect(worker.stderr).toBe('')
})

test.concurrent('the end of an npm that swallowed the signal stops the worker', async ({ expect, onTestFinished }) => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.hello) })
  const script = `const worker = require('node:child_process').spawn(process.execPath, process.argv.slice(1), { stdio: 'inherit' })
    console.error(worker.pid)
    setInterval(() => {}, 1000)`
  const env = {
    DATABASE_URL: s.database,
    TEST_SCHEMA: s.schema,
    npm_lifecycle_event: 'start',
    npm_config_user_agent: 'npm/11.0.0 node/v24',
  }
  await using npm = start([path.join(import.meta.dirname, '../../src/cli/main.ts'), 'work'], { cwd: app.folder, env }, [
    '-e',
    script,
  ])
  const warned = await npm.line('does not pass stop signals on')
  expect(warned).toMatchObject({ level: 'warn', msg: expect.stringContaining('`npm run start`') })
  await npm.line('Worker started')
  const orphan = Number(npm.stderr)
  onTestFinished(() => kill(orphan, 'SIGKILL'))
  npm.child.kill('SIGKILL')
  await npm.line('Stopping by the end of npm run start')
  await until(async () => (await alive(s)).length === 0, { what: 'the worker has left' })
})

test.concurrent('what keeps a worker from starting is an exit code', async ({ expect }) => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.hello) })
  const env = { DATABASE_URL: s.database, TEST_SCHEMA: s.schema }
  const [queue, grace, build] = await Promise.all([
    cli(['work', '--queues', 'bulkk'], { cwd: app.folder, env }),
    cli(['work'], { cwd: app.folder, env: { ...env, HOLDFAST_GRACE: 'soon' } }),
    cli(['work', '--build', 'a b'], { cwd: app.folder, env }),
  ])
  expect(queue).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean 'bulk'?") })
  expect(grace).toMatchObject({ code: 1, stderr: expect.stringContaining('[HF_DURATION]') })
  expect(build).toMatchObject({ code: 1, stderr: expect.stringContaining('[HF_NAME]') })
  for (const { stderr } of [queue, grace, build]) expect(stderr).not.toMatch(/^ +at /m)
})

test('a worker whose log nobody reads any more goes on', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': config(TASKS.hello) })
  await using worker = work(s, app)
  await worker.line('Worker started')
  worker.child.stdout?.destroy()
  worker.child.stderr?.destroy()
  const id = await enqueue(s, app, 'hello')
  await s.ended(id)
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  expect(await alive(s)).toEqual([])
})
