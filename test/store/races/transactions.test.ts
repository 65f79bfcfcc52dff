import { describe, expect, test } from 'vitest'
import { type OpenTransaction, pgTransactions } from '../../../src/engine/transactions.ts'
import { saveCheckpoint, saveCheckpointInTransaction } from '../../../src/store/checkpoints.ts'
import { openingCommands } from '../../../src/store/opening.ts'
import { finishInTransaction, handBack } from '../../../src/store/settles.ts'
import { releaseWorker, revokeWorker } from '../../../src/store/workers.ts'
import type { PgClient } from '../../../src/tasks/transactions.ts'
import { type Stage, useStages } from '../../support/stage.ts'
import { until } from '../../support/until.ts'
import { addJob, addWorker, claimUpTo, openSession, waitsFor } from './support.ts'

const stages = useStages()
const NONCE = '3f0f9f0e-0000-4000-8000-000000000000'
const at = (items: number) => ({ items, total: undefined, cursor: `${items}`, rate: undefined })

async function running(stage: Stage): Promise<{ id: string; run: number; worker: number }> {
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 1)
  await stage.sql('create table :schema.effect (n int)')
  return { id, run: 1, worker }
}

const effects = async (stage: Stage) =>
  (await stage.sql<{ n: number }>('select n from :schema.effect')).map(({ n }) => n)

/** The two ways in which a transaction of the engine ends its work. */
const LAST_WRITES = {
  'a checkpoint': (stage: Stage, job: { id: string; run: number }) => (open: OpenTransaction) =>
    saveCheckpointInTransaction(stage.db, open.on, job, at(1), open.nonce),
  'a completion': (stage: Stage, job: { id: string; run: number }) => (open: OpenTransaction) =>
    finishInTransaction(stage.db, open.on, job, { result: null, keep: true, nonce: open.nonce }),
}

describe.for(Object.entries(LAST_WRITES))('a transaction that ends in %s', ([, lastWrite]) => {
  test('commits the effects of its handler with it', async () => {
    await using stage = await stages()
    const job = await running(stage)
    await pgTransactions(stage.db, 10_000).run(async (open) => {
      await (open.tx as PgClient).query(`insert into ${stage.schema}.effect values (1)`)
      await lastWrite(stage, job)(open)
    })
    expect(await effects(stage)).toEqual([1])
  })

  test('commits nothing when the job has moved on: what woke up from a freeze changes nothing', async () => {
    await using stage = await stages()
    const job = await running(stage)
    const frozen = pgTransactions(stage.db, 10_000).run(async (open) => {
      await (open.tx as PgClient).query(`insert into ${stage.schema}.effect values (1)`)
      await revokeWorker(stage.db, job.worker, true)
      await releaseWorker(stage.db, job.worker, { outcome: 'lost', reason: 'test' })
      expect(await claimUpTo(stage.db, await addWorker(stage.db), 1, 1)).toMatchObject([{ id: job.id, run: 2 }])
      await lastWrite(stage, job)(open)
    })
    await expect(frozen).rejects.toMatchObject({ code: 'HF_FENCED' })
    expect(await effects(stage)).toEqual([])
    expect(await stage.find(job.id)).toMatchObject({ state: 'running', run: 2, items: null })
  })

  test('is refused when its handler swallows the refusal and goes on', async () => {
    await using stage = await stages()
    const job = await running(stage)
    await handBack(stage.db, [{ ...job, interrupted: true, reason: null }], { worker: job.worker, claims: [] })
    const stubborn = pgTransactions(stage.db, 10_000).run(async (open) => {
      await (open.tx as PgClient).query(`insert into ${stage.schema}.effect values (1)`)
      await lastWrite(stage, job)(open).catch(() => {})
    })
    await expect(stubborn).rejects.toThrow()
    expect(await effects(stage)).toEqual([])
  })

  test('is refused when its handler has ended the transaction, by the word', async () => {
    await using stage = await stages()
    const job = await running(stage)
    for (const word of ['commit', ' COMMIT ', 'rollback', 'end', 'abort']) {
      const work = pgTransactions(stage.db, 10_000).run(async (open) => {
        await (open.tx as PgClient).query(word)
        await lastWrite(stage, job)(open)
      })
      await expect(work).rejects.toMatchObject({ code: 'HF_TX_ENDED' })
    }
    expect(await stage.find(job.id)).toMatchObject({ state: 'running', items: null })
  })

  test.for(['commit', 'commit; begin', 'rollback; begin'])(
    'is refused when its handler hides %s behind a select',
    async (words) => {
      await using stage = await stages()
      const job = await running(stage)
      const work = pgTransactions(stage.db, 10_000).run(async (open) => {
        await open.on.query(`select 1; ${words}`)
        await lastWrite(stage, job)(open)
      })
      await expect(work).rejects.toMatchObject({ code: 'HF_TX_ENDED' })
      expect(await stage.find(job.id)).toMatchObject({ state: 'running', items: null })
    },
  )
})

describe('the fence is held until the commit:', () => {
  test('who takes the job away waits for a checkpoint in flight', async () => {
    await using stage = await stages()
    const [saving, moving] = [await openSession(stage), await openSession(stage)]
    const job = await running(stage)
    await saving.begin()
    expect(await saveCheckpoint(saving, job, at(1))).toBeUndefined()
    const back = handBack(moving, [{ ...job, interrupted: true, reason: null }], { worker: job.worker, claims: [] })
    await waitsFor(stage, moving, saving)
    await saving.commit()
    expect(await back).toHaveLength(1)
    expect(await stage.find(job.id)).toMatchObject({ state: 'ready', items: 1 })
  })

  test('a checkpoint waits for who takes the job away, and is refused then', async () => {
    await using stage = await stages()
    const [saving, moving] = [await openSession(stage), await openSession(stage)]
    const job = await running(stage)
    await moving.begin()
    await handBack(moving, [{ ...job, interrupted: true, reason: null }], { worker: job.worker, claims: [] })
    const saved = saveCheckpoint(saving, job, at(1))
    await waitsFor(stage, saving, moving)
    await moving.commit()
    expect(await saved).toBe('refused')
    expect(await stage.find(job.id)).toMatchObject({ state: 'ready', items: null })
  })

  test('a checkpoint that waited is saved when the job stayed after all', async () => {
    await using stage = await stages()
    const [saving, moving] = [await openSession(stage), await openSession(stage)]
    const job = await running(stage)
    await moving.begin()
    await handBack(moving, [{ ...job, interrupted: true, reason: null }], { worker: job.worker, claims: [] })
    const saved = saveCheckpoint(saving, job, at(1))
    await waitsFor(stage, saving, moving)
    await moving.rollback()
    expect(await saved).toBeUndefined()
    expect(await stage.find(job.id)).toMatchObject({ state: 'running', items: 1 })
  })
})

test('a process that freezes inside a transaction is cut off by the server, and its job goes on elsewhere', async () => {
  await using stage = await stages()
  const frozen = await openSession(stage)
  const job = await running(stage)
  await frozen.query(`begin; ${openingCommands(300, NONCE)}`)
  await frozen.query(`insert into ${stage.schema}.effect values (1)`)
  await saveCheckpointInTransaction(stage.db, frozen, job, at(1), NONCE)
  await revokeWorker(stage.db, job.worker, true)
  expect(await releaseWorker(stage.db, job.worker, { outcome: 'lost', reason: 'test' })).toEqual({ freed: [], left: 1 })
  await until(async () => (await releaseWorker(stage.db, job.worker, { outcome: 'lost', reason: 'test' })).left === 0, {
    what: 'the job is freed',
  })
  expect(await effects(stage)).toEqual([])
  expect(await stage.find(job.id)).toMatchObject({ state: 'ready', losses: 1, items: null })
  await expect(frozen.commit()).rejects.toThrow()
})

test('a transaction whose process stands still in the middle of it is ended by the server', async () => {
  await using stage = await stages()
  const [locked, woken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const stalled = stage.db.transaction(async (client) => {
    await client.query(`lock table ${stage.schema}.history in access exclusive mode`)
    locked.resolve()
    await woken.promise
  })
  stalled.catch(() => {}) // awaited below
  await locked.promise
  // Whoever looks at the history waits for it, and not for ever.
  expect(await stage.sql('select id from :schema.history')).toEqual([])
  woken.resolve()
  await expect(stalled).rejects.toMatchObject({ code: 'HF_TX_IDLE' })
})
