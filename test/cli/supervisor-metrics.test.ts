import { expect, test } from 'vitest'
import { supervisorMetrics } from '../../src/cli/supervisor-metrics.ts'
import { renderMetrics } from '../../src/surfaces/metrics.ts'

test('jobs that no live worker takes are told by whichever worker process looks for the fleet', () => {
  const unserved = [{ queue: 'mail', task: 'send', version: 2, jobs: 12, lack: 'version' }]
  const supervisor = {
    children: [{ beat: { unserved: [] } }, { beat: { unserved } }, { beat: undefined }],
    counts: { starts: 3, deaths: new Map() },
    worries: new Map(),
  }
  const text = renderMetrics(supervisorMetrics(supervisor as never))
  expect(text).toContain('holdfast_unserved_jobs{queue="mail",task="send",version="2",lack="version"} 12\n')
})
