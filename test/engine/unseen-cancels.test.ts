import { expect } from 'vitest'
import { claim } from '../../src/store/claims.ts'
import { cancel, unseenCancels } from '../../src/store/operations.ts'
import { delay, handBack } from '../../src/store/settles.ts'
import { registerWorker } from '../../src/store/workers.ts'
import { useStages } from '../support/stage.ts'
import { test } from './support.ts'

const stages = useStages()
const BY = { reason: 'not needed', owner: 'ann' }

test('a cancel that a run did not see before it came to another end is carried out by any worker', async () => {
  await using stage = await stages()
  const { db } = stage
  const jobs = stage.holdfast({ queues: { other: {} } })
  const t = jobs.task({ name: 't', queue: 'other', run: () => {} })
  const idle = jobs.task({ name: 'idle', run: () => {} })
  const ids = [(await jobs.enqueue(t)).id, (await jobs.enqueue(t)).id]
  const gone = { name: 'w', build: 'b', release: '0', tasks: ['t'], queues: ['other'], manifest: {}, lease: 600_000 }
  const worker = await registerWorker(db, gone)
  const bands = [{ lane: 1, priority: 5, mark: 0, most: 10 }]
  const taken = await claim(db, { worker, claim: 1, queue: 'other', tasks: '{t}', most: 10, bands })
  for (const id of ids) expect(await cancel(db, id, BY)).toBe('running')
  const [one, two] = taken.map(({ id, run }) => ({ id, run })) as [
    { id: string; run: number },
    { id: string; run: number },
  ]
  await handBack(db, [{ ...one, interrupted: true, reason: 'deploy' }], { worker, claims: [] })
  const until = { kind: 'delay', ms: 3_600_000 } as const
  await delay(db, [{ ...two, state: 11, until, failed: true, reason: 'failed', error: null }], { worker, claims: [1] })
  expect(await unseenCancels(db)).toHaveLength(2)

  // One that does not even serve their queue.
  await stage.start(jobs.app({ tasks: [idle] }), { queues: ['default'] })
  for (const id of ids) expect(await stage.ended(id)).toMatchObject({ state: 'cancelled', run: 1 })
})
