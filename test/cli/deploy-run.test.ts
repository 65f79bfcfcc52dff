import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test as serial, vi } from 'vitest'
import { strike } from '../support/processes.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { type Deployer, useDeployers } from './deployer.ts'
import { MAIN, type Running } from './support.ts'

const deployer = useDeployers()
vi.setConfig({ testTimeout: 120_000 })
// Most of them wait; each has a stage of its own.
const test = serial.concurrent

/** A migration that says when it has begun, notes each signal, and takes half a second to roll back; without one, it ends with the file `go`. */
const MIGRATION = `
  import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
  let rolling = false
  const hear = (signal) => {
    appendFileSync('signals', signal + ' ')
    if (rolling) return
    rolling = true
    setTimeout(() => { writeFileSync('rolled-back', String(Date.now())); process.exit(7) }, 500)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, hear)
  setInterval(() => { if (!rolling && existsSync('go')) process.exit(0) }, 20)
  writeFileSync('begun', process.env.HOLDFAST_DEPLOY_NUMBER)
`

async function withMigration(env?: Record<string, string>) {
  const d = await deployer({ MAIN, ...env })
  await writeFile(path.join(d.folder, 'migration.mjs'), MIGRATION)
  return d
}

/** Below a shell, as in a deploy script. */
const SHELL = ['--', 'sh', '-c', `"${process.execPath}" migration.mjs; exit $?`]
const file = ({ folder }: Deployer, name: string) => path.join(folder, name)
const read = (d: Deployer, name: string) => readFileSync(file(d, name), 'utf8')

async function begun(d: Deployer, run: Running): Promise<number> {
  // Written in one piece, but made before.
  await until(() => existsSync(file(d, 'begun')) && read(d, 'begun') !== '', {
    what: () => `it has begun: ${run.said}`,
  })
  return Number(read(d, 'begun'))
}

test.each(['SIGTERM', 'SIGHUP'] as const)(
  '%s reaches what runs below a shell, and the old code claims again when that is gone',
  async (signal) => {
    await using d = await withMigration()
    await using run = d.start('deploy', 'run', ...SHELL)
    await begun(d, run)
    run.child.kill(signal)
    expect(await run.ended(), run.said).toBe(1)
    expect(read(d, 'signals')).toBe(`${signal} `)
    const { state, endedAt } = await d.deploy()
    expect(state).toBe('aborted')
    expect(Number(read(d, 'rolled-back'))).toBeLessThanOrEqual(Date.parse(endedAt))
  },
)

test('what does not go away below a stopped command keeps the deploy held, and is named', async () => {
  await using d = await withMigration()
  const stubborn = `trap '' TERM; sleep 60 > sleep.log 2>&1 & trap - TERM; touch begun; echo 1 > begun; wait`
  await using run = d.start('deploy', 'run', '--', 'sh', '-c', stubborn)
  await begun(d, run)
  run.child.kill('SIGTERM')
  expect(await run.ended(60_000)).toBe(1)
  expect(run.stderr).toMatch(/stays held .* was ended by SIGTERM, .* still runs after 20s \(process group \d+\)/)
  expect(await d.deploy()).toMatchObject({ state: 'held' })
  strike(-Number(/process group (\d+)/.exec(run.stderr)?.[1]), 'SIGKILL')
})

test('Ctrl-C at a terminal reaches the command once', async () => {
  await using d = await withMigration()
  const line = `exec "${process.execPath}" "$MAIN" deploy run -- "${process.execPath}" migration.mjs`
  // A terminal of its own, with the keyboard on our side.
  const pty = `import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp('sh', ['sh', '-c', sys.argv[1]])
while not os.path.exists('begun'): time.sleep(0.02)
os.write(fd, b'\\x03')
try:
    while os.read(fd, 1024): pass
except OSError: pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
  const said = await d.launched(['python3', '-c', pty, line])
  expect(said.stdout.trim()).toBe('1')
  expect(read(d, 'signals')).toBe('SIGINT ')
  expect(await d.deploy()).toMatchObject({ state: 'aborted', why: 'the command ended with exit code 7' })
})

test('a stop that comes when the way is free: the command is not started', async () => {
  await using d = await deployer()
  await using proxy = await openProxy(d.stage.database)
  const passed = proxy.hold(d.stage.db.statements.pass_deploy, 'answer')
  await using run = d.startWith({ DATABASE_URL: proxy.url }, 'deploy', 'run', '--', 'touch', 'started')
  const release = await passed
  run.child.kill('SIGTERM')
  // Nothing shows that it has heard the signal; the answer must not arrive in the same turn of its loop.
  await sleep(300)
  release()
  expect(await run.ended()).toBe(1)
  expect(existsSync(file(d, 'started'))).toBe(false)
  expect(await d.deploy()).toMatchObject({ state: 'aborted', why: 'it was interrupted by hand' })
})

test('a lost hold is said at once, and the command is stopped', async () => {
  await using d = await withMigration()
  await using run = d.start('deploy', 'run', '--hold', '2s', ...SHELL)
  const number = await begun(d, run)
  expect((await d.run('deploy', 'abort', String(number), '--reason', 'not now')).code).toBe(0)
  expect(await run.ended()).toBe(1)
  expect(run.stderr).toMatch(/The hold of deploy \d+ was ended by somebody else \(not now\): its workers claim again/)
  expect(read(d, 'signals')).toBe('SIGTERM ')
  expect(run.stderr).toMatch(/had ended before its command did \(not now\)/)
})

test.each([
  ['--keep-going', ['--keep-going'], false],
  ['a migration that has begun', [], true],
] as const)('a lost hold, with %s: it is said, and the command goes on', async (_, options, migrating) => {
  await using d = await withMigration()
  await using run = d.start('deploy', 'run', '--hold', '2s', ...options, ...SHELL)
  const number = String(await begun(d, run))
  if (migrating) await d.run('deploy', 'mark', 'migrating', number)
  expect((await d.run('deploy', 'abort', number, '--force')).code).toBe(0)
  await until(() => run.stderr.includes('The command goes on.'), { what: () => `it is said: ${run.said}` })
  await writeFile(file(d, 'go'), '')
  expect(await run.ended()).toBe(1)
  expect(existsSync(file(d, 'signals'))).toBe(false)
  expect(run.stderr).toMatch(/had ended before its command did/)
})

test('a database that restarts as the command ends is waited for', async () => {
  await using d = await withMigration()
  await using proxy = await openProxy(d.stage.database)
  await using run = d.startWith({ DATABASE_URL: proxy.url }, 'deploy', 'run', ...SHELL)
  await begun(d, run)
  proxy.refusing = true
  proxy.reset()
  await writeFile(file(d, 'go'), '')
  // Its shell has ended when a try has been refused.
  await until(() => proxy.refused > 0, { what: 'it tries' })
  expect(run.child.exitCode).toBe(null)
  proxy.refusing = false
  expect(await run.ended(), run.said).toBe(0)
  expect(run.stdout).toContain('is finished')
  expect(await d.deploy()).toMatchObject({ state: 'finished' })
})

test('a database that does not come back: how the command went, and the line that finishes the deploy', async () => {
  await using d = await withMigration()
  await using proxy = await openProxy(d.stage.database)
  await using run = d.startWith({ DATABASE_URL: proxy.url }, 'deploy', 'run', '--json', ...SHELL)
  const number = await begun(d, run)
  proxy.refusing = true
  proxy.reset()
  await writeFile(file(d, 'go'), '')
  expect(await run.ended(60_000)).toBe(1)
  const said = JSON.parse(run.stdout)
  expect(said).toMatchObject({ number, finished: false })
  expect(said.message).toMatch(/The command went well, but deploy \d+ is still held: /)
  expect(said.message).toContain(`holdfast deploy finish ${number}`)
  expect(await d.deploy()).toMatchObject({ state: 'held' })
})

test('finish inside the command is a success, and it means this deploy', async () => {
  await using d = await withMigration()
  const other = await d.json('deploy', 'prepare', '--app', 'nobody', '--allow-none')
  const inside = `"${process.execPath}" "$MAIN" deploy`
  const line = `${inside} mark migrating && ${inside} extend && ${inside} finish`
  const run = await d.run('deploy', 'run', '--app', 'app', '--', 'sh', '-c', line)
  expect(run.code, run.stderr).toBe(0)
  expect(run.stdout).toContain('is finished: every worker claims')
  const { deploys } = await d.json('deploy', 'status')
  expect(deploys).toMatchObject([{ number: other.number, state: 'held' }])
})

test('without a number, a deploy of somebody else is not touched', async () => {
  await using d = await deployer()
  const { number } = await d.json('deploy', 'prepare', '--reason', 'release 9')
  await d.stage.sql(`update :schema.deploy set owner = 'anna@elsewhere:17'`)
  for (const verb of [['finish'], ['abort'], ['extend'], ['mark', 'migrating']]) {
    const refused = await d.run('deploy', ...verb)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`not of`)
    expect(refused.stderr).toContain(`${number} of anna@elsewhere:17 (release 9)`)
  }
  expect(await d.deploy()).toMatchObject({ state: 'held' })
  expect((await d.run('deploy', 'finish', String(number))).code).toBe(0)
})
