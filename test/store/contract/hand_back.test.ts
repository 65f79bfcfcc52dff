import { expect } from 'vitest'
import { saveCheckpoint } from '../../../src/store/checkpoints.ts'
import { start } from '../../../src/store/claims.ts'
import type { Fence } from '../../../src/store/fence.ts'
import { handBack } from '../../../src/store/settles.ts'
import { expectPlan, refusesStaleFences, test } from './support.ts'

const back = ({ id, run }: Fence, reason: string | null = 'deploy', interrupted = true) => ({
  id,
  run,
  interrupted,
  reason,
})

test('gives a job back in front of all others, claimable at once', async ({ store }) => {
  const job = await store.running()
  const other = await store.enqueued()
  expect(await handBack(store.db, [back(job)], { worker: job.worker, claims: [job.claim] })).toEqual([
    { id: job.id, queue: 'mine', task: 'common', interruptions: 1, fruitless: 1, resumes: false },
  ])
  expect(await store.job(job.id)).toMatchObject({
    state: 0,
    lane: 0,
    run: 1,
    worker: null,
    interruptions: 1,
    failures: 0,
  })
  expect(await store.of('ledger', 'worker', job.worker)).toEqual([])
  expect(await store.of('trail', 'job', job.id)).toMatchObject([
    { run: 1, worker: job.worker, outcome: 'interrupted', reason: 'deploy' },
  ])
  const again = await store.claim(await store.worker())
  expect(again.map(({ id, run }) => ({ id, run }))).toEqual([
    { id: job.id, run: 2 },
    { id: other.id, run: 1 },
  ])
})

test('draws a fresh position, above every mark', async ({ store }) => {
  const job = await store.running()
  const newer = await store.enqueued()
  await handBack(store.db, [back(job)], { worker: job.worker, claims: [] })
  const [mine, theirs] = [await store.job(job.id), await store.job(newer.id)]
  expect(mine['position']).toBeGreaterThan(theirs['position'] as number)
})

test('a yield counts as nothing; without a reason it leaves no line in the trail', async ({ store }) => {
  const [yielded, silent] = [await store.running(), await store.running()]
  await handBack(store.db, [back(yielded, 'crowded', false), back(silent, null, false)], { worker: -1, claims: [] })
  expect(await store.job(yielded.id)).toMatchObject({ state: 0, interruptions: 0 })
  expect(await store.of('trail', 'job', yielded.id)).toMatchObject([{ outcome: 'yielded', reason: 'crowded' }])
  expect(await store.of('trail', 'job', silent.id)).toEqual([])
})

test('counts a crash, and tells what its process died of', async ({ store }) => {
  const [crashed, beside] = [await store.running(), await store.running()]
  const cause = JSON.stringify({ signal: 'SIGSEGV' })
  const writes = [{ ...back(crashed, 'SIGSEGV', false), crashed: true, error: cause }, back(beside)]
  await handBack(store.db, writes, { worker: crashed.worker, claims: [] })
  expect(await store.job(crashed.id)).toMatchObject({ state: 0, crashes: 1, interruptions: 0 })
  expect(await store.job(beside.id)).toMatchObject({ state: 0, crashes: 0, interruptions: 1 })
  expect(await store.of('trail', 'job', crashed.id)).toMatchObject([
    { outcome: 'crashed', reason: 'SIGSEGV', error: { signal: 'SIGSEGV' } },
  ])
})

test('progress clears the crashes before it, and makes the interruptions before it worth while', async ({ store }) => {
  const job = await store.running()
  await store.rows('update holdfast.job set crashes = 7, interruptions = 5 where id = $1', [job.id])
  await saveCheckpoint(store.db, job, { items: 3, total: undefined, cursor: '3', rate: undefined })
  const [given] = await handBack(store.db, [back(job)], { worker: job.worker, claims: [] })
  expect(given).toMatchObject({ interruptions: 6, fruitless: 1, resumes: true })
  expect(await store.job(job.id)).toMatchObject({ crashes: 0 })
  expect(await store.of('trail', 'job', job.id)).toMatchObject([{ items: '3' }])
  const [again] = await store.claim(job.worker, 1, 77)
  const next = await handBack(store.db, [{ ...back(again as Fence), crashed: true }], {
    worker: job.worker,
    claims: [],
  })
  expect(next).toMatchObject([{ interruptions: 7, fruitless: 2, resumes: true }])
  expect(await store.job(job.id)).toMatchObject({ crashes: 1 })
})

test('never gives back a job that started at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  expect(await handBack(store.db, [back(job)], { worker: -1, claims: [] })).toEqual([])
  expect(await store.job(job.id)).toMatchObject({ state: 2, worker: job.worker })
})

refusesStaleFences(({ db }, fence) => handBack(db, [back(fence)], { worker: -1, claims: [] }), [])

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs, worker } = await store.holding(100)
  const all = <T>(value: T) => ids.map(() => value)
  const plan = await store.plan('hand_back', [ids, runs, all(1), all('deploy'), all(0), [], worker, [1]])
  expectPlan(plan, { uses: ['job_pkey', 'ledger_pkey'], pages: 2_500 })
})
