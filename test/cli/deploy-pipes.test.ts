import { expect, test, vi } from 'vitest'
import { useDeployers } from './deployer.ts'
import { Fake } from './fake-celery.ts'

const deployer = useDeployers()
vi.setConfig({ testTimeout: 120_000 })

/** `… | head -1`; the exit code is that of the command before the pipe. */
const HEAD = ['bash', '-c', 'set -o pipefail; "$@" | head -n 1', 'sh']

test('prepare | head: what is refused stays refused', async () => {
  await using d = await deployer()
  await d.occupy()
  expect((await d.launched(HEAD, 'deploy', 'prepare', '--timeout', '1s', '--ticket')).code).toBe(1)
  expect((await d.json('deploy', 'history')).deploys).toMatchObject([{ state: 'aborted', why: 'the time was over' }])
})

test('run | head: the command runs to its end, and what became of it is the exit code', async () => {
  await using d = await deployer()
  const failed = await d.launched(HEAD, 'deploy', 'run', '--', process.execPath, '-e', 'process.exitCode = 3')
  expect(failed.code, failed.stderr).toBe(1)
  const done = await d.launched(HEAD, 'deploy', 'run', '--', process.execPath, '-e', '0')
  expect(done.code, done.stderr).toBe(0)
  expect((await d.json('deploy', 'history')).deploys).toMatchObject([{ state: 'finished' }, { state: 'aborted' }])
})

test('wait | head: old code that lives is no success', async () => {
  await using d = await deployer()
  expect((await d.launched(HEAD, 'deploy', 'wait', '--build', 'new', '--timeout', '2s')).code).toBe(1)
})

test('prepare --fleet 2>&1 | head: everything fetches again', async () => {
  await using fake = await Fake.open('report')
  const launcher = ['bash', '-c', 'set -o pipefail; "$@" 2>&1 | head -n 1', 'sh']
  const { code } = await fake.launched(launcher, 'prepare', '--timeout', '1s')
  expect([code, fake.paused]).toEqual([1, false])
})

test('jobs list | head is quiet, and 0', async () => {
  await using d = await deployer()
  for (let n = 0; n < 3; n++) await d.json('enqueue', 'quick')
  const { code, stderr } = await d.launched(HEAD, 'jobs', 'list')
  expect([code, stderr]).toEqual([0, ''])
})
