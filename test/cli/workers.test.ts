import { expect, test, vi } from 'vitest'
import { beginDeploy } from '../../src/store/deploys.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { cli, cliJson } from './support.ts'

const stage = useStages()
vi.setConfig({ testTimeout: 120_000 })

test('workers lists who lives, of which build, and who is held', async () => {
  await using s = await stage()
  const env = { env: { DATABASE_URL: s.database } }
  const args = ['--schema', s.schema]
  expect(await cli(['workers', ...args], env)).toMatchObject({ code: 0, stdout: '', stderr: 'No worker is running.\n' })

  const jobs = s.holdfast({ ...s.place, queues: { bulk: {} } })
  const task = jobs.task({ name: 'a', aliases: ['old'], run: () => {} })
  const one = await s.start(jobs.app({ tasks: [task] }), { build: 'b1', queues: ['bulk'] })
  const two = await s.start(jobs.app({ tasks: [task] }), { build: 'b2' })
  await beginDeploy(s.db, {
    ...{ owner: 'ann', reason: 'test', build: undefined, token: 't', require: 'interruptible', expires: 60_000 },
    queues: ['default'],
  })
  await until(() => !two.claiming, { what: 'the worker knows that it is held' })

  const { workers } = await cliJson(['workers', ...args], env)
  expect(workers).toMatchObject([
    { key: one.key, build: 'b1', state: 'claiming', tasks: ['a', 'old'], queues: ['bulk'] },
    { key: two.key, build: 'b2', state: 'held', queues: ['default', 'bulk'] },
  ])
  expect(workers[0].host).toBe(workers[0].worker.split(':')[0])
  expect(workers[0].leaseLeftMs).toBeGreaterThan(0)
  expect(Date.parse(workers[0].startedAt)).toBeGreaterThan(Date.now() - 600_000)

  const plain = await cli(['workers', ...args], env)
  expect(plain.stdout).toMatch(/b1 +claiming +\S.* ago/)
  expect(plain.stdout).toMatch(/b2 +held /)
})
