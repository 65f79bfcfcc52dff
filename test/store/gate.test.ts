import { expect, test } from 'vitest'
import { livingBuilds } from '../../src/store/gate.ts'
import { releaseWorker, revokeWorker } from '../../src/store/workers.ts'
import { useStages } from '../support/stage.ts'
import { addJobs, addWorker, claimUpTo, openSession } from './races/support.ts'

const stages = useStages()

test('a build lives on while a revoked worker of it has jobs that are not released', async () => {
  await using stage = await stages()
  const frozen = await openSession(stage)
  const worker = await addWorker(stage.db)
  const [free = '', hidden = ''] = await addJobs(stage.db, 2)
  await claimUpTo(stage.db, worker, 1, 10)
  const living = { build: 'b', workers: 1, oldest: 'w' }
  expect(await livingBuilds(stage.db)).toMatchObject([{ ...living, running: 2 }])

  // A transaction that is open when its process freezes.
  await frozen.begin()
  await frozen.query(`select from ${stage.schema}.job where id = $1 for share`, [hidden])
  await revokeWorker(stage.db, worker, true)
  const how = { outcome: 'lost', reason: 'test' } as const
  expect(await releaseWorker(stage.db, worker, how)).toMatchObject({ freed: [{ id: free }], left: 1 })
  expect(await livingBuilds(stage.db)).toMatchObject([{ ...living, running: 1 }])

  await frozen.rollback()
  await releaseWorker(stage.db, worker, how)
  expect(await livingBuilds(stage.db)).toEqual([])
})
