import { expect, test } from 'vitest'
import { livingBuilds, usualDuration } from '../../src/store/gate.ts'
import { maintainPartitions } from '../../src/store/partitions.ts'
import { releaseWorker, revokeWorker } from '../../src/store/workers.ts'
import { type Stage, useStages } from '../support/stage.ts'
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

/** Runs of a task that ended so many days ago, and took so long. */
async function ran(stage: Stage, task: string, daysAgo: number, ms: number, runs = 1): Promise<void> {
  const day = `date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - $3::int * interval '1 day'`
  await stage.sql(
    `insert into :schema.history (id, created_at, started_at, ended_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
     select gen_random_uuid(), now(), ${day} - $2::int * interval '1 ms', ${day}, 1, 0, 0, 0, 0, 20, 5, 1, 'q', $1 from generate_series(1, $4::int)`,
    [task, ms, daysAgo, runs],
  )
}

test('how long a task usually takes: by its latest runs, and by those of days before where these are few', async () => {
  await using stage = await stages()
  await maintainPartitions(stage.db, 30 * 24 * 60 * 60_000)
  await ran(stage, 'often', 3, 90_000, 2_000)
  await ran(stage, 'often', 0, 1_000, 2_000)
  await ran(stage, 'seldom', 5, 3_000)
  await ran(stage, 'seldom', 0, 1_000)
  await ran(stage, 'long-ago', 8, 1_000)
  expect(await usualDuration(stage.db, 'often')).toEqual({ p50_ms: 1_000, p95_ms: 1_000 })
  expect(await usualDuration(stage.db, 'seldom')).toEqual({ p50_ms: 2_000, p95_ms: 2_900 })
  expect(await usualDuration(stage.db, 'long-ago')).toBeUndefined()
  expect(await usualDuration(stage.db, 'never')).toBeUndefined()
})

test('where the history does not answer, nobody knows', async () => {
  await using stage = await stages()
  await stage.db.transaction(async (client) => {
    await client.query(`lock table ${stage.schema}.history in access exclusive mode`)
    expect(await usualDuration(stage.db, 'often')).toBeUndefined()
  })
})
