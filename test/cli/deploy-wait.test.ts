import { expect, test, vi } from 'vitest'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'
import { useDeployers } from './deployer.ts'
import { start } from './support.ts'

const deployer = useDeployers()
vi.setConfig({ testTimeout: 120_000 })

test('a failover does not end the wait, and is said once', async () => {
  await using d = await deployer()
  await using proxy = await openProxy(d.stage.database)
  await using waiting = d.startWith({ DATABASE_URL: proxy.url }, 'deploy', 'wait', '--build', 'new')
  await until(() => waiting.stdout.includes('No worker of build new'), { what: () => `it waits: ${waiting.said}` })
  proxy.refusing = true
  proxy.reset()
  await until(() => proxy.refused > 2, { what: 'it has tried some times' })
  proxy.refusing = false
  const env = { DATABASE_URL: d.stage.database, TEST_SCHEMA: d.stage.schema, HOLDFAST_GRACE: '30s' }
  await using next = start(['work', '--build', 'new'], { cwd: d.folder, env })
  await next.line('Worker started')
  d.worker.child.kill('SIGTERM')
  expect(await waiting.ended(60_000), waiting.said).toBe(0)
  expect(waiting.stderr.match(/Waiting for it/g)).toHaveLength(1)
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends the wait, and it is no success', async (signal) => {
  await using d = await deployer()
  await using waiting = d.start('deploy', 'wait', '--build', 'new')
  await until(() => waiting.stdout.includes('No worker of build new'), { what: () => `it waits: ${waiting.said}` })
  waiting.child.kill(signal)
  expect(await waiting.ended()).toBe(1)
  expect(waiting.stdout).toContain('Interrupted after')
})
