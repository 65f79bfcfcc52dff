import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { type CliOptions, cli, cliJson, config, MAIN, type Project, project, type Running, start } from './support.ts'

const stage = useStages()
// Processes that start processes, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000 })
const TASKS = {
  count: `jobs.iteration({ name: 'count', queue: 'bulk', checkpoint: 'periodic', items: () => range(0, 100_000), each: () => sleep(5) })`,
  // Runs until the test lets it end: what must finish keeps its process.
  report: `jobs.task({ name: 'report', queue: 'bulk', timeLimit: '15s', async run() {
    for (let n = 0; n < 600 && !existsSync('end'); n++) await sleep(20)
  } })`,
  quick: `jobs.task({ name: 'quick', queue: 'bulk', run() {} })`,
}
const CONFIG = `import { existsSync } from 'node:fs'\n${config(Object.values(TASKS).join(', '))}`

/** The shell of whoever deploys, in the folder of the app. */
function shell(s: Stage, { folder }: Project, env: Record<string, string> = {}) {
  const options: CliOptions = {
    cwd: folder,
    env: { DATABASE_URL: s.database, TEST_SCHEMA: s.schema, HOLDFAST_GRACE: '30s', ...env },
  }
  return {
    run: (...args: string[]) => cli(args, options),
    json: (...args: string[]) => cliJson(args, options),
    start: (...args: string[]): Running => start(args, options),
    /** Lets reports end. */
    end: () => writeFile(path.join(folder, 'end'), ''),
    enqueue: async (task: string): Promise<string> => (await cliJson(['enqueue', task], options)).id,
  }
}

const started = (worker: Running) => worker.line('Worker started')

test('prepare, finish: the workers are held between the two, and the history has it', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
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
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
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

test('SIGINT, SIGTERM and SIGHUP in the wait: exit 1, and all claim again', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    await s.reached(await sh.enqueue('report'), 'running')
    await using deploy = sh.start('deploy', 'prepare')
    await until(() => deploy.stdout.includes('to end'), { what: () => `it waits: ${deploy.said}` })
    deploy.child.kill(signal)
    expect(await deploy.ended(), signal).toBe(1)
    expect(deploy.stderr).toContain('interrupted by hand')
    expect(deploy.stdout).toContain('report  job ')
    await s.ended(await sh.enqueue('quick'))
  }
  await sh.end()
})

test('killed in the wait: its hold is over some seconds later', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
  await s.reached(await sh.enqueue('report'), 'running')
  await using deploy = sh.start('deploy', 'prepare')
  await until(() => deploy.stdout.includes('to end'), { what: () => `it waits: ${deploy.said}` })
  deploy.child.kill('SIGKILL')
  const id = await sh.enqueue('quick')
  await sleep(1_000)
  expect(await s.find(id)).toMatchObject({ state: 'ready' })
  expect(await s.ended(id, 30_000)).toMatchObject({ state: 'completed' })
  expect((await sh.json('deploy', 'history')).deploys).toMatchObject([{ state: 'expired' }])
  expect((await sh.json('deploy', 'status')).deploys).toEqual([])
  await sh.end()
})

test('run: the command finds the token, its workers are not held, and the deploy is finished with it', async () => {
  await using s = await stage()
  await using app = await project({
    'holdfast.config.ts': CONFIG,
    'restart.mjs': `
      import { writeFileSync } from 'node:fs'
      writeFileSync('.holdfast-deploy', process.env.HOLDFAST_DEPLOY)
      process.kill(Number(process.argv[2]), 'SIGTERM')
    `,
  })
  const sh = shell(s, app)
  await using old = sh.start('work')
  await started(old)
  const long = await sh.enqueue('count')
  await s.reached(long, 'running')
  const ran = await sh.run('deploy', 'run', '--', process.execPath, 'restart.mjs', String(old.child.pid))
  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.stdout).toContain('is finished: every worker claims')
  expect(await old.ended()).toBe(0)
  expect(await s.find(long)).toMatchObject({ state: 'ready', interruptions: 1 })
  // The token lies beside the code now: that of a deploy that is over, and harmless.
  await using next = sh.start('work')
  await started(next)
  await s.reached(long, 'running')
})

test('run: a command that fails aborts the deploy; after a migration has begun it stays held, for a person', async () => {
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
  const failed = await sh.run('deploy', 'run', '--', process.execPath, '-e', 'process.exit(3)')
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('the command ended with exit code 3') })
  await s.ended(await sh.enqueue('quick'))
  const missing = await sh.run('deploy', 'run', '--', './no-such-program')
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('could not be started') })

  const script = `"${process.execPath}" "$MAIN" deploy mark migrating && exit 4`
  const half = await shell(s, app, { MAIN }).run('deploy', 'run', '--', 'sh', '-c', script)
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
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using worker = sh.start('work')
  await started(worker)
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
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const sh = shell(s, app)
  await using old = sh.start('work', '--build', 'old')
  await started(old)
  const none = await sh.run('deploy', 'wait', '--build', 'new', '--timeout', '1s')
  expect(none).toMatchObject({ code: 1, stdout: expect.stringContaining('No worker of build new is alive yet') })
  await using next = sh.start('work', '--build', 'new')
  await started(next)
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
  await using s = await stage()
  await using app = await project({ 'holdfast.config.ts': CONFIG })
  const said = await shell(s, app).run('deploy', ...args)
  expect(said.stderr).toMatch(words)
  expect(said.code).toBe(code)
})
