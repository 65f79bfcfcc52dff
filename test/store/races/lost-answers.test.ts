import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Attempt } from '../../../src/engine/attempt.ts'
import { Enqueuer } from '../../../src/engine/enqueue.ts'
import { Ledger } from '../../../src/engine/ledger.ts'
import { type Fate, type Settlement, Settler } from '../../../src/engine/settle.ts'
import { Starter } from '../../../src/engine/start.ts'
import { Waker } from '../../../src/engine/wake.ts'
import { HoldfastError } from '../../../src/model/errors.ts'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { closeClaims, readClaims, readStart, start } from '../../../src/store/claims.ts'
import { Database } from '../../../src/store/db.ts'
import { isConnectionTrouble } from '../../../src/store/db-errors.ts'
import type { NewJob } from '../../../src/store/enqueue.ts'
import { handBack } from '../../../src/store/settles.ts'
import { openProxy, type TestProxy } from '../../support/proxy.ts'
import { type Stage, useStages } from '../../support/stage.ts'
import { addJob, addWorker, claimUpTo, openSession, stateOf, waitsFor } from './support.ts'

const stages = useStages()

const newJob = (more: Partial<NewJob> = {}): NewJob => ({
  ...{ id: randomUUID(), queue: 'q', task: 't', version: 1, priority: 5, input: null, expires: null, after: null },
  ...more,
})

/** The same database, by way of a proxy. */
async function unreliable(stage: Stage, statementTimeout = 2_000): Promise<{ db: Database; proxy: TestProxy }> {
  const proxy = await openProxy(stage.database)
  const db = new Database({ url: proxy.url, schema: stage.schema, connections: 2, statementTimeout })
  onTestFinished(async () => {
    await proxy.close()
    await db.close()
  })
  return { db, proxy }
}

describe('an enqueue', () => {
  test('whose connection breaks before the answer is unknown, and says which job', async () => {
    await using stage = await stages()
    const { db, proxy } = await unreliable(stage)
    const enqueuer = new Enqueuer(db)
    const [lost, unsent] = [newJob({ task: 'lost' }), newJob({ task: 'unsent' })]

    let cut = proxy.cut({ text: lost.id }, 'answer')
    await expect(enqueuer.one(lost)).rejects.toMatchObject({
      code: 'HF_ENQUEUE_UNKNOWN',
      message: expect.stringMatching(new RegExp(`${lost.id} of task "lost"`)),
    })
    await cut
    cut = proxy.cut({ text: unsent.id }, 'message')
    await expect(enqueuer.one(unsent)).rejects.toMatchObject({ code: 'HF_ENQUEUE_UNKNOWN' })
    await cut

    // Nobody could have known which is which.
    expect(await stateOf(stage, lost.id)).toBe('ready')
    expect(await stateOf(stage, unsent.id)).toBeUndefined()
    await enqueuer.one(newJob())
    await enqueuer.close()
  })

  test('that gets no answer at all gives up after its time, and is unknown', async () => {
    await using stage = await stages()
    const { db, proxy } = await unreliable(stage, 300)
    const enqueuer = new Enqueuer(db)
    await enqueuer.one(newJob())
    proxy.blackhole = true
    await expect(enqueuer.one(newJob())).rejects.toMatchObject({ code: 'HF_ENQUEUE_UNKNOWN' })
  })

  test('that found no connection was never sent: it is not unknown', async () => {
    await using stage = await stages()
    const { db, proxy } = await unreliable(stage)
    await proxy.close()
    await expect(new Enqueuer(db).one(newJob())).rejects.toMatchObject({ code: 'HF_DATABASE_DOWN' })
  })

  test('with one bad row among many callers fails that caller alone', async () => {
    await using stage = await stages()
    const enqueuer = new Enqueuer(stage.db)
    const twin = await addJob(stage.db)
    const jobs = Array.from({ length: 50 }, (_, index) => {
      if (index === 17) return newJob({ id: twin })
      return index === 33 ? newJob({ input: '{"not": json' }) : newJob({ input: '{}' })
    })
    const results = await Promise.allSettled(jobs.map((job) => enqueuer.one(job)))
    const failed = results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))
    expect(failed).toEqual([17, 33])
    expect(await stage.sql('select count(*)::int as n from :schema.job')).toEqual([{ n: 49 }])
    await enqueuer.close()
  })
})

test('a claim whose answer was lost is found in the ledger, and given back unpunished', async () => {
  await using stage = await stages()
  const { db, proxy } = await unreliable(stage)
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  const cut = proxy.cut({ text: 'as materialized' }, 'answer')
  await expect(claimUpTo(db, worker, 1, 9)).rejects.toSatisfy(isConnectionTrouble)
  await cut

  expect(await stateOf(stage, id)).toBe('running')
  const strangers = await readClaims(stage.db, worker, [])
  expect(strangers).toMatchObject([{ id, run: 1, claim: 1 }])
  await handBack(
    stage.db,
    strangers.map((job) => ({ ...job, interrupted: false, reason: null })),
    { worker, claims: [] },
  )
  await closeClaims(stage.db, worker, [1])
  expect(await stage.find(id)).toMatchObject({ state: 'ready', interruptions: 0, losses: 0 })
  expect(await stage.sql('select * from :schema.ledger')).toEqual([])
  expect(await claimUpTo(stage.db, worker, 2, 9)).toMatchObject([{ id, run: 2 }])
})

describe('a settle whose answer was lost is sent again, and writes once:', () => {
  const write = (id: string, more: object = {}) => ({
    id,
    run: 1,
    state: 21,
    result: null,
    error: '{}',
    keep: true,
    ...more,
  })
  const away = (id: string) => ({
    ...write(id, { state: 11 }),
    until: { kind: 'delay', ms: 60_000 } as const,
    failed: true,
    reason: null,
  })
  const WAYS: Record<
    string,
    { state: string; outcomes: string[]; settlement: (id: string, tid: string) => Settlement }
  > = {
    completion: {
      state: 'completed',
      outcomes: [],
      settlement: (id, tid) => ({ kind: 'complete', write: { id, run: 1, tid, result: '1' } }),
    },
    failure: { state: 'failed', outcomes: ['failed'], settlement: (id) => ({ kind: 'finish', write: write(id) }) },
    retry: { state: 'retrying', outcomes: ['failed'], settlement: (id) => ({ kind: 'delay', write: away(id) }) },
    'hand-back': {
      state: 'ready',
      outcomes: ['interrupted'],
      settlement: (id) => ({ kind: 'hand-back', write: { id, run: 1, interrupted: true, reason: 'deploy' } }),
    },
  }
  test.for(Object.entries(WAYS))('%s', async ([, { state, outcomes, settlement }]) => {
    await using stage = await stages()
    const { db, proxy } = await unreliable(stage)
    const worker = await addWorker(stage.db)
    const id = await addJob(stage.db)
    const ledger = new Ledger(worker, () => true)
    const claim = ledger.begin()
    const [taken] = await claimUpTo(stage.db, worker, claim, 9)
    ledger.took(claim, 1)
    const troubles: unknown[] = []
    const settler = new Settler({
      ...{ db, waker: new Waker(db), keepCompleted: true, onSettled: () => {} },
      onTrouble: (error) => troubles.push(error),
    })

    const cut = proxy.cut({ text: id }, 'answer')
    const fate = await new Promise<Fate>((resolve) =>
      settler.settle(id, claim, ledger, settlement(id, taken?.tid ?? ''), resolve),
    )
    await cut
    expect(troubles).toHaveLength(1)
    expect(fate).toBe('written')
    expect(await stateOf(stage, id)).toBe(state)
    expect(await stage.sql('select outcome from :schema.trail')).toEqual(outcomes.map((outcome) => ({ outcome })))
    expect(await stage.find(id)).toMatchObject({ run: 1, interruptions: state === 'ready' ? 1 : 0 })
    expect(await stage.sql('select * from :schema.ledger')).toEqual([])
    expect(ledger.known()).toEqual([])
  })
})

test('a start whose answer was lost is read back: it stands, and nothing starts the job again', async () => {
  await using stage = await stages()
  const { db, proxy } = await unreliable(stage)
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 9)
  const cut = proxy.cut({ text: 'state = 2' }, 'answer')
  await expect(start(db, [{ id, run: 1 }])).rejects.toSatisfy(isConnectionTrouble)
  await cut
  expect(await readStart(db, [{ id, run: 1 }])).toEqual(new Set([id]))
  expect(await start(db, [{ id, run: 1 }])).toEqual(new Set())
})

test('a start whose answer was lost while it was still being committed stands, too', async () => {
  await using stage = await stages()
  const [lost, session] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 9)
  await lost.begin()
  await start(lost, [{ id, run: 1 }])
  const run = session.run.bind(session)
  let answered = false
  session.run = async (name, values, on) => {
    if (!answered) {
      answered = true
      throw new HoldfastError('HF_DATABASE_DOWN', 'gone')
    }
    return run(name, values, on)
  }
  const attempt = { job: { id, run: 1 }, ledger: new Ledger(worker, () => true) } as Attempt
  const started = new Starter(session).start(attempt)
  await waitsFor(stage, session, lost)
  await lost.commit()
  expect(await started).toBe(true)
})

test('a checkpoint whose answer was lost is saved again with the same progress', async () => {
  await using stage = await stages()
  const { db, proxy } = await unreliable(stage)
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 9)
  const progress = { items: 7, total: undefined, cursor: '7', rate: undefined }
  const cut = proxy.cut({ text: 'checkpoint' }, 'answer')
  await expect(saveCheckpoint(db, { id, run: 1 }, progress)).rejects.toSatisfy(isConnectionTrouble)
  await cut
  expect(await saveCheckpoint(db, { id, run: 1 }, progress)).toBeUndefined()
  expect(await stage.find(id)).toMatchObject({ state: 'running', items: 7 })
})
