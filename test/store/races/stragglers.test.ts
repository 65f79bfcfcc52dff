import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../src/store/db.ts'
import { liftStragglers, publishMarks, type Readied, raiseFloor } from '../../../src/store/upkeep.ts'
import { type Stage, useStages } from '../../support/stage.ts'
import { SLOW_MACHINE, until } from '../../support/until.ts'
import { addJob, addJobs, addWorker, claimUpTo, openSession, waitsFor } from './support.ts'

const stages = useStages()

/** Undefined: it was another worker's turn. */
async function sweepOf(db: Database, reset: boolean, every: number): Promise<Readied[] | undefined> {
  const floor = await raiseFloor(db, { reset, every })
  return floor === undefined ? undefined : liftStragglers(db, floor, 1_000)
}

/** As the workers do, though much faster: ticks are milliseconds apart. */
const tick = (db: Database, reset = false) => sweepOf(db, reset, 0)

/** The transactions of tests that run beside this one, in other databases of the server, hold the floor back too. */
async function tickUntil(stage: Stage, reached: () => Promise<boolean>): Promise<void> {
  await until(async () => (await tick(stage.db)) !== undefined && reached(), { what: 'the floor has risen' })
}

async function positionOf(stage: Stage, id: string): Promise<number> {
  const [row] = await stage.sql<{ position: number }>(
    'select position::int as position from :schema.job where id = $1',
    [id],
  )
  return row?.position ?? Number.NaN
}

async function floorOf(stage: Stage): Promise<number> {
  const [row] = await stage.sql<{ floor: number }>('select floor::int as floor from :schema.horizon')
  return row?.floor ?? Number.NaN
}

async function horizonSays(stage: Stage, condition: string): Promise<boolean> {
  const [row] = await stage.sql<{ so: boolean }>(`select ${condition} as so from :schema.horizon`)
  return row?.so === true
}

/** Enqueues, claims and marks, so that everything up to the mark counts as claimed. */
async function claimPast(stage: Stage, worker: number, number: number): Promise<number> {
  await addJob(stage.db)
  const jobs = await claimUpTo(stage.db, worker, number, 100)
  const mark = Math.max(...jobs.map((job) => job.position))
  await publishMarks(stage.db, 'set', ['t'], [{ queue: 'q', lane: 1, priority: 5, position: mark }])
  return mark
}

describe('a job that commits late, below a mark,', () => {
  test('is lifted by the next sweep', async () => {
    await using stage = await stages()
    const late = await openSession(stage)
    const worker = await addWorker(stage.db)
    await late.begin()
    const id = await addJob(late)
    const mark = await claimPast(stage, worker, 1)
    for (let ticks = 0; ticks < 5; ticks++) expect(await tick(stage.db)).toEqual([])

    await late.commit()
    expect(await positionOf(stage, id)).toBeLessThan(mark)
    expect(await claimUpTo(stage.db, worker, 2, 10, mark)).toEqual([])
    expect(await tick(stage.db)).toEqual([{ queue: 'q', jobs: 1 }])
    expect(await claimUpTo(stage.db, worker, 3, 10, mark)).toMatchObject([{ id, lane: 0 }])
  })

  test('is lifted by workers that sweep at their own pace, within seconds', async () => {
    await using stage = await stages()
    const late = await openSession(stage)
    const worker = await addWorker(stage.db)
    const sweep = () => sweepOf(stage.db, false, 200)
    await late.begin()
    const id = await addJob(late)
    const mark = await claimPast(stage, worker, 1)
    for (let ticks = 0; ticks < 4; ticks++) {
      await sweep()
      await sleep(210)
    }
    await late.commit()
    const lifted = async () => (await sweep())?.[0]?.jobs === 1
    await until(lifted, { deadline: 2_000 + SLOW_MACHINE, every: 50, what: 'it is lifted' })
    expect(await claimUpTo(stage.db, worker, 3, 10, mark)).toMatchObject([{ id }])
  })
})

test('a claim that rolls back leaves its jobs below a mark: a sweep from zero lifts them', async () => {
  await using stage = await stages()
  const claiming = await openSession(stage)
  const [worker, other] = [await addWorker(stage.db), await addWorker(stage.db)]
  const ids = await addJobs(stage.db, 3)
  await claiming.begin()
  expect(await claimUpTo(claiming, worker, 1, 3)).toHaveLength(3)
  const mark = await claimPast(stage, other, 1)
  // Rows that a claim has locked have been committed long ago: the floor may pass them.
  for (let ticks = 0; ticks < 5; ticks++) await tick(stage.db)
  await claiming.rollback()

  expect(await claimUpTo(stage.db, other, 2, 10, mark)).toEqual([])
  expect(await tick(stage.db, true)).toEqual([{ queue: 'q', jobs: 3 }])
  const lifted = await claimUpTo(stage.db, other, 3, 10, mark)
  expect(lifted.map((job) => job.id)).toEqual(ids)
})

describe('the floor', () => {
  test('follows the positions when nothing is open', async () => {
    await using stage = await stages()
    await addJobs(stage.db, 5)
    const reached = await positionOf(stage, await addJob(stage.db))
    await tickUntil(stage, async () => (await floorOf(stage)) === reached)
  })

  test('never passes an open transaction that has drawn a position', async () => {
    await using stage = await stages()
    const open = await openSession(stage)
    await addJobs(stage.db, 3)
    for (let ticks = 0; ticks < 3; ticks++) await tick(stage.db)
    await open.begin()
    const id = await addJob(open)
    for (let ticks = 0; ticks < 6; ticks++) {
      await addJob(stage.db)
      await tick(stage.db, ticks % 2 === 0)
    }
    const below = await floorOf(stage)
    await open.commit()
    expect(below).toBeLessThan(await positionOf(stage, id))
    const passed = await positionOf(stage, id)
    await tickUntil(stage, async () => (await floorOf(stage)) > passed)
  })

  test('never passes a position whose transaction had no id yet when it was noted', async () => {
    await using stage = await stages()
    const open = await openSession(stage)
    await addJobs(stage.db, 3)
    for (let ticks = 0; ticks < 3; ticks++) await tick(stage.db)
    await open.begin()
    const { rows } = await open.query(`select nextval('${stage.schema}.position')::int as drawn`)
    const { drawn } = rows[0] as { drawn: number }
    await tick(stage.db)
    const id = await addJob(open)
    await open.query(`update ${stage.schema}.job set position = $1 where id = $2`, [drawn, id])
    for (let ticks = 0; ticks < 4; ticks++) await tick(stage.db)
    expect(await floorOf(stage)).toBeLessThan(drawn)
    await open.commit()
    expect(await positionOf(stage, id)).toBe(drawn)
  })

  test('never passes the very first position of a database', async () => {
    await using stage = await stages()
    const open = await openSession(stage)
    for (let ticks = 0; ticks < 2; ticks++) await tick(stage.db)
    await open.begin()
    const id = await addJob(open)
    for (let ticks = 0; ticks < 4; ticks++) await tick(stage.db)
    const below = await floorOf(stage)
    await open.commit()
    expect(await positionOf(stage, id)).toBe(1)
    expect(below).toBe(0)
  })

  test('is moved by one of two ticks that meet, though both sweep', async () => {
    await using stage = await stages()
    const [first, second] = [await openSession(stage), await openSession(stage)]
    const [older, open] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    await addJobs(stage.db, 3)
    await older.begin()
    await addJob(older)
    const { rows } = await older.query('select pg_current_xact_id()::text as xid')
    const { xid } = rows[0] as { xid: string }
    await tickUntil(stage, () => horizonSays(stage, `sampled_xid > '${xid}'`))
    // Its position is noted by a tick that keeps the sample of before, because the older transaction is open.
    await open.begin()
    const id = await addJob(open)
    const mark = await claimPast(stage, worker, 1)
    await tick(stage.db)
    await older.commit()
    const settled = () => horizonSays(stage, 'sampled_xid <= pg_snapshot_xmin(pg_current_snapshot())')
    await until(settled, { what: 'the old sample is settled' })

    // It is replaced by the one that has the position: whoever waited must not take the new one for the old one.
    await first.begin()
    await tick(first)
    const waited = tick(second, true)
    await waitsFor(stage, second, first)
    await first.commit()
    await waited
    const below = await floorOf(stage)
    await open.commit()
    expect(below).toBeLessThan(await positionOf(stage, id))
    expect(mark).toBeGreaterThan(await positionOf(stage, id))
    expect(await tick(stage.db)).toEqual([{ queue: 'q', jobs: 1 }])
  })

  test('starts anew on a server whose transactions it does not know', async () => {
    await using stage = await stages()
    await addJobs(stage.db, 2)
    await stage.sql(`update :schema.horizon set sampled_xid = '9000000000000', sampled_position = 1`)
    await tickUntil(stage, async () => (await floorOf(stage)) === 2)
  })

  test("is nobody's turn again until a tick has passed, unless it is asked to look from zero", async () => {
    await using stage = await stages()
    const sweep = (reset: boolean) => sweepOf(stage.db, reset, 60_000)
    expect(await sweep(false)).toEqual([])
    expect(await sweep(false)).toBeUndefined()
    expect(await sweep(true)).toEqual([])
  })
})
