import pg from 'pg'
import { expect, test } from 'vitest'
import { type Stage, useStages } from '../support/stage.ts'
import { cli, cliJson, config, type Loose, project } from './support.ts'

const stage = useStages()

async function doctor(s: Stage, env: Record<string, string> = {}): Promise<{ ok: boolean; [check: string]: Loose }> {
  const { ok, checks } = await cliJson(['doctor', '--schema', s.schema], { env: { DATABASE_URL: s.database, ...env } })
  return { ok, ...Object.fromEntries(checks.map((each: { check: string }) => [each.check, each])) }
}

test('all is well where a worker runs and knows its grace', async () => {
  await using s = await stage()
  const jobs = s.holdfast(s.place)
  const hello = jobs.task({ name: 'hello', run() {} })
  await s.start(jobs.app({ tasks: [hello] }), { build: 'b7' })
  const { ok, ...checks } = await doctor(s, { HOLDFAST_GRACE: '10s' })
  expect(Object.keys(checks)).toEqual([
    ...['database', 'schema', 'clock', 'listen', 'connections', 'snapshots'],
    ...['workers', 'deploys', 'unserved', 'parked', 'vacuum', 'history', 'grace', 'limits', 'start'],
  ])
  // The server is shared by other tests: what they hold open or use is not ours.
  const { snapshots, connections, history, ...mine } = checks
  for (const check of Object.values(mine)) expect(check).toMatchObject({ status: 'ok', cure: null })
  expect(snapshots.status).toMatch(/ok|warning/)
  expect(connections.status).toMatch(/ok|warning/)
  expect(history.status).toMatch(/ok|warning/)
  expect(checks.workers.message).toContain('build b7')
  expect(ok).toBe(true)
})

test('finds what is wrong, and says what to do', async () => {
  await using s = await stage()
  const jobs = s.holdfast({ ...s.place, queues: { bulk: {} } })
  const known = jobs.task({ name: 'known', run() {} })
  const strange = jobs.task({ name: 'strange', run() {} })
  await s.start(jobs.app({ tasks: [known] }))
  await jobs.enqueue(strange)
  await s.sql(`insert into :schema.waiting (id, due_at, created_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
    values (gen_random_uuid(), now() + interval '1 hour', now(), 0, 0, 0, 0, 0, 14, 5, 1, 'bulk', 'known')`)
  // A worker that vanished, and whose rows somebody keeps locked: nobody can release it.
  const blocker = new pg.Client({ connectionString: s.database })
  await blocker.connect()
  await blocker.query('begin')
  await blocker.query(
    `insert into ${s.schema}.worker (name, build, release, tasks, queues, manifest) values ('gone', 'b', '0', '{}', '{}', '{}')`,
  )
  await blocker.query('commit')
  await blocker.query(`begin; select from ${s.schema}.worker where name = 'gone' for update`)
  await s.sql(
    `insert into :schema.lease (worker, expires_at) select key, now() - interval '1 minute' from :schema.worker where name = 'gone'`,
  )

  const found = await doctor(s, { HOLDFAST_LISTEN_URL: 'off' })
  expect(found.ok).toBe(false)
  expect(found.unserved).toMatchObject({
    status: 'error',
    message: expect.stringMatching(/1 ready job waits for a worker: no live worker of queue default has task strange/),
    cure: expect.stringContaining('aliases'),
  })
  expect(found.parked).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('1 job is parked'),
    cure: expect.stringContaining('jobs list --state parked'),
  })
  expect(found.workers).toMatchObject({ status: 'error', message: expect.stringMatching(/gone\) for 1m/) })
  expect(found.listen).toMatchObject({ status: 'ok', message: expect.stringContaining('poll') })
  expect(found.grace).toMatchObject({ status: 'warning', cure: expect.stringContaining('HOLDFAST_GRACE') })
  await blocker.end()

  const plain = await cli(['doctor', '--schema', s.schema], { env: { DATABASE_URL: s.database } })
  expect(plain).toMatchObject({ code: 1, stderr: '' })
  expect(plain.stdout).toMatch(/^error {4}unserved[^\n]*\n +→ /m)
})

test('looks at how a project starts its worker', async () => {
  await using s = await stage()
  await using app = await project({
    'holdfast.config.ts': config('', ", shutdown: { grace: '45s' }"),
    Dockerfile: 'FROM node:24\nRUN npm ci\nCMD ["npm", "start"]\n',
  })
  const { checks } = await cliJson(['doctor'], {
    cwd: app.folder,
    env: { DATABASE_URL: s.database, TEST_SCHEMA: s.schema },
  })
  const of = (name: string) => checks.find((each: { check: string }) => each.check === name)
  expect(of('start')).toMatchObject({ status: 'warning', message: expect.stringContaining('CMD ["npm", "start"]') })
  expect(of('start').cure).toContain('CMD ["node", "node_modules/holdfast/dist/cli/main.js", "work"]')
  expect(of('grace')).toMatchObject({ status: 'ok', message: 'shutdown.grace is 45s' })
  expect(of('workers')).toMatchObject({ status: 'warning' })
})

test('a database that is not there, and one without the schema', async () => {
  await using s = await stage()
  const [down, empty] = await Promise.all([
    doctor(s, { DATABASE_URL: 'postgres://me:s3cret@127.0.0.1:1/db' }),
    cliJson(['doctor', '--schema', 'nothing'], { env: { DATABASE_URL: s.database } }),
  ])
  expect(down).toMatchObject({ ok: false, database: { status: 'error', cure: expect.any(String) } })
  expect(JSON.stringify(down)).not.toContain('s3cret')
  expect(empty.checks.find((each: { check: string }) => each.check === 'schema')).toMatchObject({
    status: 'error',
    message: 'There is no schema nothing.',
    cure: expect.stringContaining('holdfast migrate'),
  })
})

test('tasks that a deploy cannot wait for are errors, when they are not declared or their time is over', async () => {
  await using s = await stage()
  const look = async (task: string) => {
    await using app = await project({ 'holdfast.config.ts': config(task) })
    const env = { DATABASE_URL: s.database, TEST_SCHEMA: s.schema, HOLDFAST_GRACE: '30s' }
    const { checks } = await cliJson(['doctor'], { cwd: app.folder, env })
    return checks.find((each: { check: string }) => each.check === 'limits')
  }
  const legacy = (until: string) =>
    `jobs.task({ name: 'month-end', timeLimit: '40m', legacy: { reason: 'x', until: '${until}' }, run() {} })`
  expect(await look(`jobs.task({ name: 'short', timeLimit: '20s', run() {} })`)).toMatchObject({ status: 'ok' })
  expect(await look(`jobs.task({ name: 'month-end', timeLimit: '40m', run() {} })`)).toMatchObject({
    ...{ status: 'error', message: expect.stringContaining('month-end: it may take 40m') },
  })
  expect(await look(legacy('2099-12-31'))).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('is legacy'),
  })
  expect(await look(legacy('2020-12-31'))).toMatchObject({
    ...{ status: 'error', message: expect.stringContaining('month-end (2020-12-31)') },
  })
})
