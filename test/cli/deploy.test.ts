import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test as serial, vi } from 'vitest'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { type CliOptions, COUNT, cli, cliJson, config, MAIN, project, type Running, start } from './support.ts'

const stage = useStages()
// Processes that start processes, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
// Most of them wait; each has a stage of its own.
const test = serial.concurrent
const TASKS = {
  count: COUNT,
  // Runs until the test lets it end: what must finish keeps its process.
  report: `jobs.task({ name: 'report', queue: 'bulk', timeLimit: '15s', async run() {
    for (let n = 0; n < 600 && !existsSync('end'); n++) await sleep(20)
  } })`,
  quick: `jobs.task({ name: 'quick', queue: 'bulk', run() {} })`,
}
const CONFIG = `import { existsSync } from 'node:fs'\n${config(Object.values(TASKS).join(', '))}`

/** An app in a folder of its own, a schema of its own, and the shell of whoever deploys it. */
async function openShop(files: Readonly<Record<string, string>> = {}) {
  const closing = new AsyncDisposableStack()
  const s = closing.use(await stage())
  const { folder } = closing.use(await project({ 'holdfast.config.ts': CONFIG, ...files }))
  const shell = (env: Record<string, string> = {}) => {
    const options: CliOptions = {
      cwd: folder,
      env: { DATABASE_URL: s.database, TEST_SCHEMA: s.schema, HOLDFAST_GRACE: '30s', ...env },
    }
    return {
      run: (...args: string[]) => cli(args, options),
      json: (...args: string[]) => cliJson(args, options),
      start: (...args: string[]): Running => start(args, options),
    }
  }
  const plain = shell()
  return {
    ...plain,
    s,
    folder,
    /** The same shell with more in its environment. */
    with: shell,
    /** A worker that claims, or is held. */
    async work(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Running> {
      const worker = shell(env).start('work', ...args)
      await worker.line('Worker started')
      return worker
    },
    /** A `deploy prepare` that waits for work to end. */
    async waitingDeploy(...args: string[]): Promise<Running> {
      const deploy = plain.start('deploy', 'prepare', ...args)
      await until(() => deploy.stdout.includes('to end'), { what: () => `it waits: ${deploy.said}` })
      return deploy
    },
    enqueue: async (task: string): Promise<string> => (await plain.json('enqueue', task)).id,
    /** Lets reports end. */
    end: () => writeFile(path.join(folder, 'end'), ''),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

test('prepare, finish: the workers are held between the two, and the history has it', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  const long = await sh.enqueue('count')
  await s.reached(long, 'running')
  const prepared = await sh.run('deploy', 'prepare', '--reason', 'release 7')
  expect(prepared.code, prepared.stderr).toBe(0)
  expect(prepared.stdout).toContain('The way is free. 1 job that can be interrupted goes on.')
  expect(prepared.stdout).toMatch(/HOLDFAST_DEPLOY=[0-9a-f]{16}/)
  const [, number] = prepared.stdout.match(/holdfast deploy finish (\d+)/) ?? []
  const id = await sh.enqueue('quick')
  const status = await sh.json('deploy', 'status')
  expect(status.deploys).toMatchObject([
    {
      number: Number(number),
      state: 'held',
      reason: 'release 7',
      held: 1,
      interruptible: 1,
      workers: [{ heard: true }],
    },
  ])
  expect((await sh.run('deploy', 'status')).stdout).toMatch(/all workers: 1 worker held/)
  expect(await s.find(id)).toMatchObject({ state: 'ready', run: 0 })
  const finished = await sh.run('deploy', 'finish')
  expect(finished).toMatchObject({ code: 0, stdout: expect.stringContaining('is finished') })
  expect(await s.ended(id)).toMatchObject({ state: 'completed', run: 1 })
  const { deploys } = await sh.json('deploy', 'history')
  expect(deploys).toMatchObject([{ number: Number(number), state: 'finished', waitedMs: expect.any(Number) }])
  expect(deploys[0].tookMs).toBeGreaterThanOrEqual(deploys[0].waitedMs)
  expect((await sh.run('deploy', 'history')).stdout).toMatch(/finished .*release 7/)
})

test('what may not be cut makes it give up: exit 1, the offender with its cure and a ticket, and all claim again', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  const id = await sh.enqueue('report')
  await s.reached(id, 'running')
  const dry = await sh.run('deploy', 'prepare', '--dry-run')
  expect(dry).toMatchObject({ code: 1, stdout: expect.stringMatching(/would not pass now; it should in \d+.*or less/) })
  const { code, stdout, stderr } = await sh.run('deploy', 'prepare', '--timeout', '1s', '--ticket')
  expect(code).toBe(1)
  expect(stderr).toMatch(/gave up after 1.*: the time was over\. All workers claim again/)
  expect(stdout).toContain(`report  job ${id}  on `)
  expect(stdout).toMatch(/running for .*, limit 15s, done in .* or less/)
  expect(stdout).toMatch(/Title: task report makes deploys wait\n[\s\S]*Cure: /)
  expect(await s.ended(await sh.enqueue('quick'))).toMatchObject({ state: 'completed' })
  const { deploys } = await sh.json('deploy', 'history')
  expect(deploys).toMatchObject([
    { state: 'aborted', why: 'the time was over', report: { offenders: [{ job: id, task: 'report' }] } },
  ])
  expect(await s.find(id)).toMatchObject({ state: 'running', interruptions: 0 })
  await sh.end()
})

test('the wait says how long what is in the way usually takes, and when it is done at the latest', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  await sh.end()
  await s.ended(await sh.enqueue('report'))
  await rm(path.join(sh.folder, 'end'))
  const id = await sh.enqueue('report')
  await s.reached(id, 'running')
  await using deploy = await sh.waitingDeploy()
  const told = new RegExp(`report ${id} on \\S+:\\d+ for \\S+ \\(usually \\S+ at most, done in \\S+ or less\\)`)
  await until(() => told.test(deploy.stdout), { what: () => `both are told: ${deploy.said}` })
  await sh.end()
  expect(await deploy.ended()).toBe(0)
})

test('a deploy of one app, or of workers by their names, holds these alone', async () => {
  await using sh = await openShop()
  const named = async (worker: Running) => String((await worker.line('Worker started'))['worker'])
  const held = async () =>
    (await sh.json('deploy', 'status')).deploys[0].workers.map((worker: { name: string }) => worker.name)
  await using shop = await sh.work([], { HOLDFAST_APP: 'shop' })
  await using mail = await sh.work([], { HOLDFAST_APP: 'mail' })
  const [one, other] = [await named(shop), await named(mail)]
  const [host, pid] = one.split(':')
  for (const [scope, meant] of [
    [['--app', 'shop'], [one]],
    [
      ['--app', 'shop,mail'],
      [one, other],
    ],
    [['--workers', `*:${pid}`], [one]],
    [
      ['--workers', `${host}:*`],
      [one, other],
    ],
    // What stands for one letter in SQL stands for itself here.
    [['--workers', `${host}_${pid}`], []],
  ] as const) {
    const prepared = await sh.json('deploy', 'prepare', '--allow-none', ...scope)
    expect(prepared, scope.join(' ')).toMatchObject({ passed: true, workers: meant.length })
    expect(await held(), scope.join(' ')).toEqual(meant)
    await sh.run('deploy', 'finish')
  }
})

test('SIGINT, SIGTERM and SIGHUP in the wait: exit 1, and all claim again', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    await s.reached(await sh.enqueue('report'), 'running')
    await using deploy = await sh.waitingDeploy()
    deploy.child.kill(signal)
    expect(await deploy.ended(), signal).toBe(1)
    expect(deploy.stderr).toContain('interrupted by hand')
    expect(deploy.stdout).toContain('report  job ')
    await s.ended(await sh.enqueue('quick'))
  }
  await sh.end()
})

test('killed in the wait: its hold is over some seconds later', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  await s.reached(await sh.enqueue('report'), 'running')
  await using deploy = await sh.waitingDeploy()
  deploy.child.kill('SIGKILL')
  const id = await sh.enqueue('quick')
  await sleep(1_000)
  expect(await s.find(id)).toMatchObject({ state: 'ready' })
  expect(await s.ended(id, 30_000)).toMatchObject({ state: 'completed' })
  expect((await sh.json('deploy', 'history')).deploys).toMatchObject([{ state: 'expired' }])
  expect((await sh.json('deploy', 'status')).deploys).toEqual([])
  await sh.end()
})

test('the token tells new code from old of the same build: in the environment, or in a file beside the code', async () => {
  await using sh = await openShop()
  const { s } = sh
  const build = ['--build', 'release-7']
  const tokenFile = path.join(sh.folder, '.holdfast-deploy')
  await using _old = await sh.work(build)
  const { token, build: told } = await sh.json('deploy', 'prepare', ...build)
  expect(told, 'a build that lives already says nothing').toBeNull()
  {
    await using _next = await sh.work(build, { HOLDFAST_DEPLOY: token })
    await s.ended(await sh.enqueue('quick'))
  }
  {
    await writeFile(tokenFile, `${token}\n`)
    await using _next = await sh.work(build)
    await s.ended(await sh.enqueue('quick'))
    await rm(tokenFile)
  }
  // An autoscaler starts one more of the old.
  await using late = await sh.work(build)
  const { worker: name } = await late.line('Worker started')
  const held = async () => (await sh.json('deploy', 'status')).deploys[0].workers
  expect(await held()).toContainEqual(expect.objectContaining({ name }))
  const id = await sh.enqueue('quick')
  // Longer than a worker needs to look for work.
  await sleep(2_000)
  expect(await s.find(id)).toMatchObject({ state: 'ready', run: 0 })
  expect((await sh.run('deploy', 'finish')).code).toBe(0)
  await s.ended(id)
})

test('run: the command finds the token, the workers that it starts are not held, and the deploy is finished with it', async () => {
  await using sh = await openShop({
    'restart.mjs': `
      import { existsSync, writeFileSync } from 'node:fs'
      process.kill(Number(process.argv[2]), 'SIGTERM')
      writeFileSync('token', process.env.HOLDFAST_DEPLOY)
      const look = setInterval(() => existsSync('restarted') && clearInterval(look), 20)
    `,
  })
  const { s } = sh
  await using old = await sh.work()
  const long = await sh.enqueue('count')
  await s.reached(long, 'running')
  await using deploy = sh.start('deploy', 'run', '--', process.execPath, 'restart.mjs', String(old.child.pid))
  expect(await old.ended()).toBe(0)
  expect(await s.find(long)).toMatchObject({ state: 'ready', interruptions: 1 })
  const token = await readFile(path.join(sh.folder, 'token'), 'utf8')
  await using _next = await sh.work([], { HOLDFAST_DEPLOY: token })
  await s.reached(long, 'running')
  expect((await sh.json('deploy', 'status')).deploys, 'the command still runs').toMatchObject([{ state: 'held' }])
  await writeFile(path.join(sh.folder, 'restarted'), '')
  expect(await deploy.ended(), deploy.said).toBe(0)
  expect(deploy.stdout).toContain('is finished: every worker claims')
})

test('run: a command that takes longer than the hold is held throughout', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  const command = [process.execPath, '-e', 'setTimeout(() => {}, 9_000)']
  await using deploy = sh.start('deploy', 'run', '--hold', '4s', '--', ...command)
  await until(() => deploy.stdout.includes('Running: '), { what: () => `the command runs: ${deploy.said}` })
  const id = await sh.enqueue('quick')
  expect(await deploy.ended(), deploy.said).toBe(0)
  await s.ended(id)
  const { deploys } = await sh.json('deploy', 'history')
  expect(deploys).toMatchObject([{ state: 'finished' }])
  expect(deploys[0].tookMs).toBeGreaterThanOrEqual(9_000)
  const [ran] = await s.sql(
    'select h.started_at >= d.ended_at as afterwards from :schema.history h, :schema.deploy d where h.id = $1',
    [id],
  )
  expect(ran, 'nothing ran while it was held').toEqual({ afterwards: true })
})

test('run: a command that fails aborts the deploy; after a migration has begun it stays held, for a person', async () => {
  await using sh = await openShop()
  const { s } = sh
  await using _worker = await sh.work()
  const failed = await sh.run('deploy', 'run', '--', process.execPath, '-e', 'process.exit(3)')
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('the command ended with exit code 3') })
  await s.ended(await sh.enqueue('quick'))
  const missing = await sh.run('deploy', 'run', '--', './no-such-program')
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('could not be started') })

  const script = `"${process.execPath}" "$MAIN" deploy mark migrating && exit 4`
  const half = await sh.with({ MAIN }).run('deploy', 'run', '--', 'sh', '-c', script)
  expect(half.code, half.stdout).toBe(1)
  expect(half.stderr).toMatch(/stays held: the command ended with exit code 4, and a migration had begun/)
  const id = await sh.enqueue('quick')
  const refused = await sh.run('deploy', 'abort')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/a migration has begun: with --force/) })
  expect(await s.find(id)).toMatchObject({ state: 'ready', run: 0 })
  expect((await sh.run('deploy', 'abort', '--force', '--reason', 'migrated back')).code).toBe(0)
  await s.ended(id)
  const { deploys } = await sh.json('deploy', 'history')
  expect(deploys.map(({ state, why }: { state: string; why: string }) => [state, why])).toEqual([
    ['aborted', 'migrated back'],
    ['aborted', expect.stringContaining('could not be started')],
    ['aborted', 'the command ended with exit code 3'],
  ])
})

test('two deploys: the second is refused with the name of the first', async () => {
  await using sh = await openShop()
  await using _worker = await sh.work()
  const first = await sh.json('deploy', 'prepare', '--reason', 'release 8')
  expect(first).toMatchObject({ passed: true, workers: 1 })
  for (const dry of [[], ['--dry-run']]) {
    const second = await sh.run('deploy', 'prepare', ...dry)
    expect(second.code).toBe(1)
    expect(second.stdout + second.stderr).toMatch(new RegExp(`Deploy ${first.number} of \\S+@\\S+ \\(release 8\\)`))
  }
  expect((await sh.run('deploy', 'extend', String(first.number), '--for', '1h')).code).toBe(0)
  const [seen] = (await sh.json('deploy', 'status')).deploys
  expect(seen.leftMs).toBeGreaterThan(40 * 60_000)
  expect((await sh.run('deploy', 'abort', String(first.number))).code).toBe(0)
  expect((await sh.run('deploy', 'prepare')).code).toBe(0)
})

test('wait: until the old build is gone', async () => {
  await using sh = await openShop()
  await using old = await sh.work(['--build', 'old'])
  const none = await sh.run('deploy', 'wait', '--build', 'new', '--timeout', '1s')
  expect(none).toMatchObject({ code: 1, stdout: expect.stringContaining('No worker of build new is alive yet') })
  await using _next = await sh.work(['--build', 'new'])
  const both = await sh.run('deploy', 'wait', '--build', 'new', '--timeout', '1s')
  expect(both).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/Still alive: build old: 1 worker \(.*\), 0 jobs running/),
  })
  await using waiting = sh.start('deploy', 'wait', '--build', 'new')
  old.child.kill('SIGTERM')
  expect(await waiting.ended(60_000)).toBe(0)
  expect(waiting.stdout).toContain('Only build new lives')
})

test.for<[string, string[], number, RegExp]>([
  [
    'an unknown requirement',
    ['prepare', '--require', 'quiet'],
    2,
    /--require must be one of 'interruptible', 'idle', not 'quiet'|--require/,
  ],
  ['a timeout that is none', ['prepare', '--timeout', 'soon'], 2, /--timeout/],
  ['a hold of nothing', ['prepare', '--hold', '0s'], 2, /--hold must be a duration from 1s/],
  ['an empty name', ['prepare', '--queues', 'a,,b'], 2, /--queues takes names with commas/],
  ['a build that is no name', ['prepare', '--build', 'a b'], 2, /build/],
  ['a hold for years', ['extend', '--for', '90d'], 2, /--for must be a duration from 1s to 7d/],
  ['no deploy', ['finish'], 1, /No deploy is going on/],
  ['no such deploy', ['finish', '99'], 1, /There is no deploy 99/],
  ['no number', ['finish', 'latest'], 2, /whole number/],
  ['a mark that is none', ['mark', 'done'], 2, /'migrating', not as 'done'/],
  ['no command', ['run'], 2, /missing required argument/],
  ['a fleet that is none', ['prepare', '--fleet', 'sidekiq'], 2, /--fleet must be one of/],
  ['no such command', ['prepair'], 2, /unknown command 'prepair'/],
])('bad input: %s', async ([, args, code, words]) => {
  await using sh = await openShop()
  const said = await sh.run('deploy', ...args)
  expect(said.stderr).toMatch(words)
  expect(said.code).toBe(code)
})
