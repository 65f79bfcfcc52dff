import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { Attempt } from '../../src/engine/attempt.ts'
import { Ledger } from '../../src/engine/ledger.ts'
import { settlementOf } from '../../src/engine/settlement.ts'
import { planSettle } from '../../src/model/settle-plan.ts'
import { saveCheckpoint } from '../../src/store/checkpoints.ts'
import { claim } from '../../src/store/claims.ts'
import { enqueue } from '../../src/store/enqueue.ts'
import { retryJob } from '../../src/store/operations.ts'
import { showJob } from '../../src/store/reports.ts'
import { delay, finish, handBack } from '../../src/store/settles.ts'
import { FROM_THE_BEGINNING, promote } from '../../src/store/upkeep.ts'
import { registerWorker, releaseWorker, revokeWorker } from '../../src/store/workers.ts'
import type { TaskDefinition } from '../../src/tasks/definition.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { test, upTo } from './support.ts'

const stages = useStages()
const BANDS = [0, 1].map((lane) => ({ lane, priority: 5, mark: 0, most: 10 }))

/** One job, and workers that take it one after the other. */
async function openYard(stage: Stage) {
  const { db } = stage
  const id = randomUUID()
  const job = { id, queue: 'q', task: 't', version: 1, priority: 5, input: null, expires: null, after: null }
  await enqueue(db, [job], null)
  let claims = 0
  return {
    id,
    worker: () =>
      registerWorker(db, {
        name: 'w',
        build: 'b',
        release: '0',
        tasks: ['t'],
        queues: ['q'],
        manifest: {},
        lease: 60_000,
      }),
    async take(worker: number) {
      const [taken] = await claim(db, { worker, claim: ++claims, queue: 'q', tasks: '{t}', most: 1, bands: BANDS })
      if (taken === undefined) throw new Error('there was nothing to claim')
      return taken
    },
    save: (run: number, items: number) =>
      saveCheckpoint(db, { id, run }, { items, total: undefined, cursor: `${items}`, rate: undefined }),
  }
}

test('a job that gets on completes through a thousand interruptions and a hundred crashes, and is never suspected', async () => {
  await using stage = await stages()
  const { db } = stage
  const yard = await openYard(stage)
  const first = await yard.worker()
  for (const n of upTo(1_000)) {
    const { id, run, claim: number, crashes } = await yard.take(first)
    expect(crashes).toBe(0)
    await yard.save(run, n + 1)
    const back = { id, run, interrupted: true, reason: 'deploy' }
    const [given] = await handBack(db, [back], { worker: first, claims: [number] })
    expect(given).toMatchObject({ fruitless: 1, resumes: true })
  }
  for (const n of upTo(100)) {
    const worker = await yard.worker()
    const { run, crashes } = await yard.take(worker)
    expect(crashes).toBe(n === 0 ? 0 : 1)
    await yard.save(run, 1_001 + n)
    await revokeWorker(db, worker, true)
    await releaseWorker(db, worker, { outcome: 'crashed', reason: 'SIGSEGV' })
  }
  const last = await yard.worker()
  const { id, run, claim: number } = await yard.take(last)
  const end = { id, run, state: 20, result: null, error: null, keep: true }
  await finish(db, [end], { worker: last, claims: [number] })
  expect(await stage.find(id)).toMatchObject({
    state: 'completed',
    items: 1_100,
    interruptions: 1_000,
    crashes: 1,
    failures: 0,
  })
})

test('crashes without progress add up, over interruptions and losses too', async () => {
  await using stage = await stages()
  const { db } = stage
  const yard = await openYard(stage)
  for (const outcome of ['crashed', 'interrupted', 'lost', 'crashed'] as const) {
    const worker = await yard.worker()
    await yard.take(worker)
    await revokeWorker(db, worker, true)
    await releaseWorker(db, worker, { outcome, reason: 'r' })
  }
  expect(await yard.take(await yard.worker())).toMatchObject({ crashes: 2, interruptions: 1, losses: 1, failures: 0 })
})

test('a job that is parked for a crash comes back by hand only, with a clean record', async () => {
  await using stage = await stages()
  const { db } = stage
  const yard = await openYard(stage)
  const worker = await yard.worker()
  const job = await yard.take(worker)
  const attempt = new Attempt(job, { interrupt: 'finish' } as TaskDefinition, new Ledger(worker, () => true))
  const death = { code: null, signal: 'SIGSEGV', oom: undefined }
  const facts = { delivery: 'at-least-once', started: true, failures: 0 } as const
  const plan = planSettle(facts, { kind: 'crashed', death, alone: true }, false, Math.random)
  const settlement = settlementOf(attempt, plan, true)
  if (settlement.kind !== 'delay') throw new Error(`it is settled by ${settlement.kind}`)
  await delay(db, [settlement.write], { worker, claims: [job.claim] })
  expect(await stage.find(job.id)).toMatchObject({ state: 'parked', crashes: 1, failures: 0 })
  expect(await showJob(db, job.id)).toMatchObject({
    reason: expect.stringContaining('SIGSEGV'),
    trail: [{ outcome: 'parked', error: { code: 'HF_CRASHED', signal: 'SIGSEGV' } }],
  })
  // Nothing that time does alone brings it back.
  const [waiting] = await stage.sql<{ years: number }>(
    `select extract(epoch from due_at - now()) / 86400 / 365 as years from :schema.waiting`,
  )
  expect(Number(waiting?.years)).toBeGreaterThan(9)
  expect(await promote(db, 10, FROM_THE_BEGINNING)).toEqual([])
  await retryJob(db, job.id, randomUUID())
  expect(await yard.take(worker)).toMatchObject({ id: job.id, crashes: 0 })
})

test('a crash that proves nothing is given back at once, and counted; a kill from outside is none', async () => {
  await using stage = await stages()
  const { db } = stage
  const yard = await openYard(stage)
  const worker = await yard.worker()
  const cases = [
    { before: 0, alone: false, death: { code: null, signal: 'SIGSEGV', oom: undefined } },
    { before: 1, alone: true, death: { code: null, signal: 'SIGKILL', oom: undefined } },
    { before: 1, alone: false, death: { code: 3, signal: null, oom: undefined } },
  ] as const
  for (const { before, alone, death } of cases) {
    const job = await yard.take(worker)
    expect(job).toMatchObject({ crashes: before })
    const attempt = new Attempt(job, { interrupt: 'finish' } as TaskDefinition, new Ledger(worker, () => true))
    const facts = { delivery: 'at-least-once', started: true, failures: 0 } as const
    const plan = planSettle(facts, { kind: 'crashed', death, alone }, false, Math.random)
    const settlement = settlementOf(attempt, plan, true)
    if (settlement.kind !== 'hand-back') throw new Error(`it is settled by ${settlement.kind}`)
    await handBack(db, [settlement.write], { worker, claims: [job.claim] })
  }
  const job = await yard.take(worker)
  const attempt = new Attempt(job, { interrupt: 'finish' } as TaskDefinition, new Ledger(worker, () => true))
  expect(attempt.suspect).toBe(true)
})
