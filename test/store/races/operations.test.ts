import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { cancel, pauseJob, resumeJob, retryJob } from '../../../src/store/operations.ts'
import { finish, handBack } from '../../../src/store/settles.ts'
import { FROM_THE_BEGINNING, promote } from '../../../src/store/upkeep.ts'
import { useStages } from '../../support/stage.ts'
import { addJob, addJobs, addWorker, claimUpTo, openSession, stateOf, waitsFor } from './support.ts'

const stages = useStages()
const BY = { reason: 'why', owner: 'me' }
const HOUR = 3_600_000

const OPERATIONS = {
  cancel: {
    act: (db: Parameters<typeof cancel>[0], id: string) => cancel(db, id, BY),
    ends: 'cancelled',
    action: 'cancel',
  },
  pause: {
    act: (db: Parameters<typeof cancel>[0], id: string) => pauseJob(db, id, BY, HOUR),
    ends: 'paused',
    action: 'pause',
  },
}

describe.for(Object.entries(OPERATIONS))('%s', ([, { act, ends, action }]) => {
  test('waits for a claim in flight, and then asks the run', async () => {
    await using stage = await stages()
    const [claiming, asking] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    const id = await addJob(stage.db)
    await claiming.begin()
    await claimUpTo(claiming, worker, 1, 1)
    const asked = act(asking, id)
    await waitsFor(stage, asking, claiming)
    await claiming.commit()
    expect(await asked).toBe('running')
    expect(await stateOf(stage, id)).toBe('running')
    expect(await stage.sql('select action from :schema.request')).toEqual([{ action }])
  })

  test('in flight, it hides the job from a claim, which waits for nobody', async () => {
    await using stage = await stages()
    const [asking, claiming] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    const [id = '', other = ''] = await addJobs(stage.db, 2)
    await asking.begin()
    expect(await act(asking, id)).toBe('ready')
    expect((await claimUpTo(claiming, worker, 1, 9)).map((job) => job.id)).toEqual([other])
    await asking.commit()
    expect(await stateOf(stage, id)).toBe(ends)
    expect(await claimUpTo(stage.db, worker, 2, 9)).toEqual([])
  })

  test('waits for a hand-over in flight, and then takes the job', async () => {
    await using stage = await stages()
    const [giving, asking] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    const id = await addJob(stage.db)
    await claimUpTo(stage.db, worker, 1, 1)
    await giving.begin()
    await handBack(giving, [{ id, run: 1, interrupted: true, reason: null }], { worker, claims: [1] })
    // It runs, as far as anybody else can see: the run is asked, and the next one is told.
    expect(await act(asking, id)).toBe('running')
    await giving.commit()
    expect(await act(asking, id)).toBe('ready')
    expect(await stateOf(stage, id)).toBe(ends)
  })

  test('waits for a promotion in flight, and then takes the job that is ready', async () => {
    await using stage = await stages()
    const [promoting, asking] = [await openSession(stage), await openSession(stage)]
    const id = await addJob(stage.db, { after: { kind: 'delay', ms: 0 } })
    await promoting.begin()
    expect(await promote(promoting, 10, FROM_THE_BEGINNING)).toEqual([{ queue: 'q', jobs: 1 }])
    const asked = act(asking, id)
    await waitsFor(stage, asking, promoting)
    await promoting.commit()
    expect(await asked).toBe('ready')
    expect(await stateOf(stage, id)).toBe(ends)
  })

  test('that comes while its job completes changes nothing', async () => {
    await using stage = await stages()
    const [ending, asking] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    const id = await addJob(stage.db)
    await claimUpTo(stage.db, worker, 1, 1)
    await ending.begin()
    await finish(ending, [{ id, run: 1, state: 20, result: null, error: null, keep: true }], { worker, claims: [1] })
    expect(await act(asking, id)).toBe('running')
    await ending.commit()
    expect(await stateOf(stage, id)).toBe('completed')
    expect(await act(asking, id)).toBeUndefined()
  })
})

test('two claims at once never take the same job, and neither waits', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const workers = [await addWorker(stage.db), await addWorker(stage.db)] as const
  const ids = await addJobs(stage.db, 6)
  await Promise.all([one.begin(), other.begin()])
  const first = await claimUpTo(one, workers[0], 1, 4)
  const second = await claimUpTo(other, workers[1], 1, 4)
  await Promise.all([one.commit(), other.commit()])
  expect(first.map((job) => job.id)).toEqual(ids.slice(0, 4))
  expect(second.map((job) => job.id)).toEqual(ids.slice(4))
})

test('two workers that promote at once make each job ready once, and neither waits', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const ids: string[] = []
  for (let made = 0; made < 6; made++) ids.push(await addJob(stage.db, { after: { kind: 'delay', ms: 0 } }))
  await Promise.all([one.begin(), other.begin()])
  expect(await promote(one, 4, FROM_THE_BEGINNING)).toEqual([{ queue: 'q', jobs: 4 }])
  expect(await promote(other, 4, FROM_THE_BEGINNING)).toEqual([{ queue: 'q', jobs: 2 }])
  await Promise.all([one.commit(), other.commit()])
  for (const id of ids) expect(await stateOf(stage, id)).toBe('ready')
  expect(await promote(one, 4, FROM_THE_BEGINNING)).toEqual([])
})

test('a resume and a promotion that meet make the job ready once', async () => {
  await using stage = await stages()
  const [promoting, resuming] = [await openSession(stage), await openSession(stage)]
  const id = await addJob(stage.db)
  await pauseJob(stage.db, id, BY, -1)
  await promoting.begin()
  await promote(promoting, 10, FROM_THE_BEGINNING)
  const resumed = resumeJob(resuming, id)
  await waitsFor(stage, resuming, promoting)
  await promoting.commit()
  expect(await resumed).toBeUndefined()
  expect(await stateOf(stage, id)).toBe('ready')
})

test('two people who retry a job at once run it once more', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 1)
  await finish(stage.db, [{ id, run: 1, state: 21, result: null, error: '{}', keep: true }], { worker, claims: [1] })
  await one.begin()
  expect(await retryJob(one, id, randomUUID())).toEqual({ id, queue: 'q' })
  const second = retryJob(other, id, randomUUID())
  await waitsFor(stage, other, one)
  await one.commit()
  expect(await second).toBeUndefined()
  expect(await stage.sql('select id from :schema.job')).toEqual([{ id }])
  expect(await stage.sql('select id from :schema.history')).toEqual([])
})
