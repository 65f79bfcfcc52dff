import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fake } from './fake-celery.ts'
import { cli } from './support.ts'

// The commands as people see them, over a `celery` of a few lines. The real one: `npm run test:fleets`.

test('open: what may be interrupted runs on, the next commands are there, and what this pause is not', async () => {
  await using fake = await Fake.open('sync')
  const { code, stdout, stderr } = await fake.run('prepare')
  expect(stdout).toMatch(/Ready to deploy after \d.*1 worker of celery: nothing is fetched any more/)
  expect(stdout).toMatch(/sync +c0ffee +1m 1\ds +w1@h/)
  expect(stdout).toContain("holdfast deploy finish --fleet celery --celery './celery -A proj'")
  expect(stdout).toMatch(/does not expire/)
  expect(stderr).toContain('./celery -A proj control -d w1@h add_consumer mails')
  expect([code, fake.paused, existsSync(fake.state)]).toEqual([0, true, true])
  const finish = await fake.run('finish')
  expect(finish.stdout).toContain('Fetches again: w1@h: mails')
  expect([finish.code, fake.paused, existsSync(fake.state)]).toEqual([0, false, false])
})

test('not open: the offender with its cure, everything fetches again, exit 1', async () => {
  await using fake = await Fake.open('report')
  const { code, stdout } = await fake.run('prepare', '--timeout', '1s')
  expect(stdout).toMatch(/Not ready: .* are over\. Do not deploy\./)
  expect(stdout).toMatch(/report +c0ffee +1m 1\ds +w1@h +make it shorter, or safe to repeat with acks_late=True/)
  expect(stdout).toContain('Everything fetches again.')
  expect([code, fake.paused, existsSync(fake.state)]).toEqual([1, false, false])
  const named = await fake.run('prepare', '--timeout', '20s', '--interruptible', 'report')
  expect(named.code).toBe(0)
})

test('what cannot be resumed is said, with the commands for it, and a later abort knows of it', async () => {
  await using fake = await Fake.open('report')
  await writeFile(path.join(fake.folder, 'stuck'), '')
  const { code, stdout } = await fake.run('prepare', '--timeout', '1s')
  expect(stdout).toMatch(/Not everything fetches again:\n +w1@h did not say that it fetches from mails again/)
  expect(stdout).toContain('./celery -A proj control -d w1@h add_consumer mails')
  expect([code, fake.paused]).toEqual([1, true])
  expect((await fake.run('abort')).code).toBe(1)
  await rm(path.join(fake.folder, 'stuck'))
  expect((await fake.run('abort')).code).toBe(0)
  expect([fake.paused, existsSync(fake.state)]).toEqual([false, false])
})

test('a gate that was killed: the next one goes on from there, and lets go of all of it', async () => {
  await using fake = await Fake.open('report')
  await mkdir(path.dirname(fake.state))
  const old = {
    system: 'celery',
    since: '2026-01-01T00:00:00.000Z',
    phase: 'waiting',
    owner: { pid: 999_999_999, host: 'elsewhere' },
  }
  await writeFile(fake.state, JSON.stringify({ ...old, queues: [{ worker: 'w1@h', queue: 'mails' }] }))
  await writeFile(path.join(fake.folder, 'paused'), '')
  const { code, stderr } = await fake.run('prepare', '--timeout', '1s')
  expect(stderr).toContain('Still paused since 2026-01-01T00:00:00.000Z')
  expect([code, fake.paused, existsSync(fake.state)]).toEqual([1, false, false])
})

test('a state file that is nonsense, or where none can be: nothing is paused', async () => {
  await using fake = await Fake.open()
  await writeFile(path.join(fake.folder, 'nonsense'), '{ "queues')
  const nonsense = await fake.run('prepare', '--state', 'nonsense')
  expect(nonsense).toMatchObject({ code: 1, stderr: expect.stringMatching(/HF_FLEET_STATE/) })
  expect(await readFile(path.join(fake.folder, 'nonsense'), 'utf8')).toBe('{ "queues')
  const nowhere = await fake.run('prepare', '--state', '/dev/null/state')
  expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/HF_FLEET_STATE/) })
  expect(fake.paused).toBe(false)
})

test('a gate that was passed is its own: another prepare is refused by name, unless it takes over', async () => {
  await using fake = await Fake.open('sync')
  expect((await fake.run('prepare')).code).toBe(0)
  const second = await fake.run('prepare', '--require', 'idle', '--timeout', '1s')
  expect(second.stderr).toMatch(/\S+@\S+ \(process \d+\) has passed the gate/)
  expect([second.code, fake.paused, existsSync(fake.state)]).toEqual([1, true, true])
  const third = await fake.run('prepare', '--require', 'idle', '--timeout', '1s', '--take-over')
  expect(third.stdout).toContain('Everything fetches again.')
  expect([third.code, fake.paused, existsSync(fake.state)]).toEqual([1, false, false])
})

test('of two that begin at the same moment, one has the fleet', async () => {
  await using fake = await Fake.open('report')
  const both = await Promise.all([1, 2, 3].map(() => fake.run('prepare', '--timeout', '10s')))
  const busy = both.filter(({ stderr }) => stderr.includes('HF_FLEET_BUSY'))
  expect([busy.length, both.map(({ code }) => code), fake.paused]).toEqual([2, [1, 1, 1], false])
})

test.each([
  [['prepare', '--fleet', 'celery', '--dry-run'], /--dry-run: not with --fleet celery, which takes .*--celery/],
  [
    [
      'prepare',
      '--fleet',
      'celery',
      '--workers',
      'a',
      '--app',
      'b',
      '--hold',
      '30m',
      '--build',
      'c',
      '--ticket',
      '--reason',
      'd',
    ],
    /--hold, --build, --reason, --app, --workers, --ticket: not with/,
  ],
  [['prepare', '--fleet', 'celery', '--queues', 'a'], /--queues: not with --fleet celery/],
  [['prepare', '--fleet', 'bullmq', '--queues', 'a', '--celery', 'x'], /--celery: not with --fleet bullmq/],
  [['prepare', '--interruptible', 'a', '--take-over'], /--interruptible, --take-over: only with --fleet/],
  [['finish', '--celery', './celery'], /--celery: only with --fleet/],
  [['abort', '--queues', 'mails'], /--queues: only with --fleet/],
  [['abort', '--fleet', 'celery', '--force'], /--force: not with/],
  [['finish', '--fleet', 'celery', '12'], /leave out '12'/],
])('%j: what would do nothing is refused', async (args, why) => {
  await using fake = await Fake.open()
  const { code, stderr } = await cli(['deploy', ...args], { cwd: fake.folder })
  expect(stderr).toMatch(why)
  expect([code, fake.paused]).toEqual([2, false])
})

test('a password is not printed, and what is printed can be pasted', async () => {
  await using fake = await Fake.open()
  const { stdout } = await fake.run(
    'prepare',
    '--celery',
    './celery -b redis://:s3cret@h/0 -A proj',
    '--state',
    "it's.json",
  )
  expect(stdout).toContain(`--state 'it'\\''s.json'`)
  expect(stdout).not.toContain('s3cret')
  const json = await fake.run('prepare', '--celery', './celery -b redis://:s3cret@h/0', '--state', 'b.json', '--json')
  expect(JSON.parse(json.stdout).ok).toBe(true)
  expect(json.stdout).not.toContain('s3cret')
})

test.each([
  [['--fleet', 'sidekiq'], /must be one of celery, bullmq/],
  [['--fleet', 'celery', '--require', 'quiet'], /--require|Allowed choices/],
  [['--fleet', 'celery', '--timeout', 'soon'], /--timeout/],
  [['--fleet', 'celery', '--reply', '1ms'], /from 100ms/],
  [['--fleet', 'celery', '--celery', ' '], /must name a command/],
  [['--fleet', 'bullmq'], /--redis/],
  [['--fleet', 'bullmq', '--redis', 'redis://127.0.0.1:1'], /--queues/],
])('%j cannot work: exit 2, and why', async (args, why) => {
  const { code, stderr } = await cli(['deploy', 'prepare', ...args])
  expect(stderr).toMatch(why)
  expect(code).toBe(2)
})
