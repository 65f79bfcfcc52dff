import { expect } from 'vitest'
import { z } from 'zod'
import { UnservedWatch } from '../../src/engine/unserved.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { deployOver, test } from './support.ts'

const stages = useStages()

test('a job that no live worker takes is named after a while, waits on, and runs when a worker takes it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { mail: {}, lonely: {} } })
  const known = jobs.task({ name: 'known', queue: 'mail', run: () => 'ran' })
  const young = jobs.contract({ name: 'known', queue: 'mail', version: 2, input: z.object({ x: z.number() }) })
  const unknown = jobs.task({ name: 'unknown', queue: 'mail', run: () => 'ran' })
  const lonely = jobs.task({ name: 'known-elsewhere', queue: 'lonely', run: () => 'ran' })
  const settings = { pollInterval: '50ms', policy: { maxUnserved: '1s' } } as const
  const first = await stage.start(jobs.app({ tasks: [known], ...settings }), { queues: ['default', 'mail'] })
  const second = await stage.start(jobs.app({ tasks: [known], ...settings }), { queues: ['default', 'mail'] })
  const waiting = [await jobs.enqueue(young, { x: 1 }), await jobs.enqueue(unknown), await jobs.enqueue(lonely)]
  await until(() => first.unserved.length === 3, { what: () => `three are named: ${JSON.stringify(first.log)}` })
  expect(first.unserved).toEqual(
    expect.arrayContaining([
      { queue: 'mail', task: 'known', version: 2, jobs: 1, lack: 'version', ms: expect.any(Number), more: false },
      { queue: 'mail', task: 'unknown', version: 1, jobs: 1, lack: 'task', ms: expect.any(Number), more: false },
      {
        queue: 'lonely',
        task: 'known-elsewhere',
        version: 1,
        jobs: 1,
        lack: 'queue',
        ms: expect.any(Number),
        more: false,
      },
    ]),
  )
  const said = first.log.filter(({ level }) => level === 'warn')
  expect(said).toHaveLength(3)
  // By what is missing, not by how long.
  const inOrder = said.map(({ message }) => message).sort((one, other) => (words(one) < words(other) ? -1 : 1))
  expect(inOrder).toEqual([
    expect.stringMatching(
      /^1 job waits for a worker, for [\d.]+m?s: no live worker of queue mail has task unknown\. Deploy/,
    ),
    expect.stringMatching(/^1 job waits.*: no live worker of queue mail takes version 2 of task known\. .*`upgrade`/),
    expect.stringMatching(/^1 job waits.*: no live worker serves queue lonely\. Start a worker/),
  ])
  expect(said[0]).toMatchObject({ unserved: expect.any(String), jobs: 1 })
  // One of the fleet speaks for all, and when it leaves, the next.
  expect(second.unserved).toEqual([])
  for (const { id } of waiting) expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 0, failures: 0 })
  await deployOver(first)
  await until(() => second.unserved.length === 3, { what: 'the next one looks' })

  const taken = young.task({ upgrade: {}, run: () => 'ran' })
  await stage.start(jobs.app({ tasks: [taken, unknown, lonely], ...settings }))
  for (const { id } of waiting) expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, failures: 0 })
  await until(() => second.unserved.length === 0, { what: 'nothing waits any more' })
  await second.logged('Jobs of task known@2 in queue mail do not wait for a worker any more')
})

test('looks that take too long, one after the other, are said: nobody would be told of such jobs', async () => {
  await using stage = await stages()
  const troubles: unknown[] = []
  const logged: string[] = []
  const watch = new UnservedWatch({
    db: stage.db,
    worker: () => 1,
    most: 1_000,
    log: (_, message) => logged.push(message),
    onTrouble: (error) => troubles.push(error),
  })
  await stage.db.transaction(async (client) => {
    const lock = `lock table ${stage.schema}.lease in access exclusive mode`
    await client.query(`set local idle_in_transaction_session_timeout = 0; ${lock}`)
    watch.start()
    // Two seconds each, and the third is said.
    const before = performance.now()
    await until(() => troubles.length > 0, { what: 'it says so' })
    expect(performance.now() - before).toBeGreaterThan(5_500)
  })
  expect(troubles[0]).toMatchObject({ code: 'HF_REPORT_SLOW' })
  await watch.stop()
  expect(logged).toEqual([])
})

test('a worker that comes soon after the jobs is no news', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const known = jobs.task({ name: 'known', run: () => {} })
  const young = jobs.task({ name: 'young', run: () => {} })
  const settings = { pollInterval: '50ms', policy: { maxUnserved: '10s' } } as const
  const old = await stage.start(jobs.app({ tasks: [known], ...settings }))
  const { id } = await jobs.enqueue(young)
  expect(await stage.ended((await jobs.enqueue(known)).id)).toMatchObject({ state: 'completed' })
  await stage.start(jobs.app({ tasks: [young], ...settings }))
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  expect(old.unserved).toEqual([])
  expect(old.log.filter(({ level }) => level === 'warn')).toEqual([])
})

function words(message: string): string {
  return message.slice(message.indexOf(': '))
}
