import { expect, test } from 'vitest'
import { closeClaims, readClaims } from '../../../src/store/claims.ts'
import { finish } from '../../../src/store/settles.ts'
import { expiredWorkers, releaseWorker, retireWorker, revokeWorker } from '../../../src/store/workers.ts'
import { useStages } from '../../support/stage.ts'
import { addJob, addJobs, addWorker, claimUpTo, openSession, stateOf, waitsFor } from './support.ts'

const stages = useStages()

test('a revocation waits for a claim in flight, and then frees what it took', async () => {
  await using stage = await stages()
  const [claiming, revoking] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const [id = ''] = await addJobs(stage.db, 1)

  await claiming.begin()
  expect(await claimUpTo(claiming, worker, 1, 10)).toHaveLength(1)
  const revoked = revokeWorker(revoking, worker, true)
  await waitsFor(stage, revoking, claiming)
  await claiming.commit()

  expect(await revoked).toBe(true)
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toMatchObject({
    freed: [{ id, queue: 'q' }],
    left: 0,
  })
  expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 1, losses: 1 })
})

test('a claim that meets a revocation in flight takes nothing when that commits', async () => {
  await using stage = await stages()
  const [claiming, revoking] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)

  await revoking.begin()
  await revokeWorker(revoking, worker, true)
  const taken = claimUpTo(claiming, worker, 1, 10)
  await waitsFor(stage, claiming, revoking)
  await revoking.commit()

  expect(await taken).toEqual([])
  expect(await stateOf(stage, id)).toBe('ready')
  expect(await claimUpTo(stage.db, worker, 2, 10)).toEqual([])
})

test('a claim that met a revocation goes on when that rolls back', async () => {
  await using stage = await stages()
  const [claiming, revoking] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await revoking.begin()
  await revokeWorker(revoking, worker, true)
  const taken = claimUpTo(claiming, worker, 1, 10)
  await waitsFor(stage, claiming, revoking)
  await revoking.rollback()
  expect((await taken).map((job) => job.id)).toEqual([id])
})

test('a hold of the gate is a fact at commit: claims in flight land, none comes after', async () => {
  await using stage = await stages()
  const [claiming, gate] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  await addJobs(stage.db, 3)
  await claiming.begin()
  expect(await claimUpTo(claiming, worker, 1, 1)).toHaveLength(1)
  const held = gate.query(`update ${stage.schema}.worker set claiming = false where key = $1`, [worker])
  await waitsFor(stage, gate, claiming)
  await claiming.commit()
  await held
  expect(await claimUpTo(stage.db, worker, 2, 10)).toEqual([])
})

test('what an open transaction hides from a release is freed at the next round', async () => {
  await using stage = await stages()
  const frozen = await openSession(stage)
  const worker = await addWorker(stage.db)
  const [free = '', hidden = ''] = await addJobs(stage.db, 2)
  const jobs = await claimUpTo(stage.db, worker, 1, 10)
  const fence = jobs.find((job) => job.id === hidden)
  await frozen.begin()
  // As a checkpoint of a transaction does that is open when its process freezes.
  await frozen.query(`select from ${stage.schema}.job where id = $1 for share`, [hidden])

  await revokeWorker(stage.db, worker, true)
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toMatchObject({
    freed: [{ id: free, queue: 'q' }],
    left: 1,
  })
  expect(await stateOf(stage, hidden)).toBe('running')
  expect(await expiredWorkers(stage.db)).toMatchObject([{ worker }])

  await frozen.rollback()
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toMatchObject({
    freed: [{ id: hidden, queue: 'q' }],
    left: 0,
  })
  expect(await expiredWorkers(stage.db)).toEqual([])
  expect(fence?.run).toBe(1)
})

test('a completion that is open while its worker is released counts when it commits', async () => {
  await using stage = await stages()
  const frozen = await openSession(stage)
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 10)
  await frozen.begin()
  await finish(frozen, [{ id, run: 1, state: 20, result: null, error: null, keep: true }], { worker, claims: [1] })

  await revokeWorker(stage.db, worker, true)
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toEqual({ freed: [], left: 1 })
  await frozen.commit()
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toEqual({ freed: [], left: 0 })
  expect(await stage.find(id)).toMatchObject({ state: 'completed', losses: 0 })
})

test('two sweeps at once give each job back once', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db, 0)
  const ids = await addJobs(stage.db, 20)
  await claimUpTo(stage.db, worker, 1, 20)

  await one.begin()
  await revokeWorker(one, worker, false)
  const second = revokeWorker(other, worker, false)
  await waitsFor(stage, other, one)
  await one.commit()
  expect(await second).toBe(true)

  await one.begin()
  const first = await one.run<{ id: string }>('release', [worker, 'one', 'lost', null])
  expect(await releaseWorker(other, worker, { outcome: 'lost', reason: 'other' })).toEqual({ freed: [], left: 1 })
  await one.commit()
  expect(first.map(({ id }) => id).sort()).toEqual(ids.sort())
  expect(await releaseWorker(other, worker, { outcome: 'lost', reason: 'other' })).toEqual({ freed: [], left: 0 })
  for (const id of ids) expect(await stage.find(id)).toMatchObject({ state: 'ready', losses: 1 })
})

test('a worker that retires while a claim of its own is in flight loses nothing of it', async () => {
  await using stage = await stages()
  const [claiming, leaving] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)

  // Its client gave up waiting for this claim (a slow commit), and believes that it holds nothing.
  await claiming.begin()
  await claimUpTo(claiming, worker, 1, 10)
  const retired = retireWorker(leaving, worker)
  await waitsFor(stage, leaving, claiming)
  await claiming.commit()

  expect(await retired).toBe(false)
  expect(await expiredWorkers(stage.db)).toMatchObject([{ worker }])
  await revokeWorker(stage.db, worker, false)
  expect(await releaseWorker(stage.db, worker, { outcome: 'lost', reason: 'test' })).toMatchObject({
    freed: [{ id, queue: 'q' }],
    left: 0,
  })
})

test('a claim whose answer was lost is read back from the ledger, and its row goes with its jobs', async () => {
  await using stage = await stages()
  const lost = await openSession(stage)
  const worker = await addWorker(stage.db)
  const [known = '', unknown = ''] = await addJobs(stage.db, 2)
  await claimUpTo(stage.db, worker, 1, 1)

  // Still in flight: nobody sees it, so nobody may forget it.
  await lost.begin()
  await claimUpTo(lost, worker, 2, 1)
  expect(await readClaims(stage.db, worker, [1])).toEqual([])
  await lost.commit()

  const strangers = await readClaims(stage.db, worker, [1])
  expect(strangers).toMatchObject([{ id: unknown, run: 1, claim: 2, queue: 'q' }])
  await closeClaims(stage.db, worker, [2])
  expect(await readClaims(stage.db, worker, [1])).toHaveLength(1)
  expect(await stateOf(stage, known)).toBe('running')
})
