import { describe, expect } from 'vitest'
import { start } from '../../../src/store/claims.ts'
import { saveTails, showTails } from '../../../src/store/tails.ts'
import { expectPlan, refusesStaleFences, type Store, test } from './support.ts'

const write = ({ id, run }: { id: string; run: number }, said: number) => ({
  id,
  run,
  said,
  lines: JSON.stringify([[said, 'info', `line ${said}`]]),
})
const kept = async (store: Store, id: string) => (await showTails(store.db, id, 10)).map(({ run, said }) => [run, said])

test('keeps the last lines of several runs at once, each write in the place of the one before', async ({ store }) => {
  const [one, other] = [await store.running(), await store.running()]
  expect(await saveTails(store.db, [write(one, 1), write(other, 5)])).toEqual(new Set([one.id, other.id]))
  expect(await saveTails(store.db, [write(one, 2)])).toEqual(new Set([one.id]))
  expect(await kept(store, one.id)).toEqual([[1, 2]])
  expect(await kept(store, other.id)).toEqual([[1, 5]])
})

test('an earlier write that comes late changes nothing', async ({ store }) => {
  const job = await store.running()
  await saveTails(store.db, [write(job, 3)])
  await saveTails(store.db, [write(job, 2)])
  expect(await kept(store, job.id)).toEqual([[1, 3]])
})

test('keeps the lines of a job that started at most once', async ({ store }) => {
  const job = await store.running()
  await start(store.db, [job])
  expect(await saveTails(store.db, [write(job, 1)])).toEqual(new Set([job.id]))
})

test('the moments of its lines are counted from the moment at which the database gave it the job', async ({
  store,
}) => {
  const job = await store.running()
  await saveTails(store.db, [write(job, 250)])
  const [row] = await store.rows<{ started_at: Date }>('select started_at from holdfast.job where id = $1', [job.id])
  const [tail] = await showTails(store.db, job.id, 10)
  expect(tail?.lines).toEqual([
    { at: new Date((row?.started_at.getTime() ?? 0) + 250), level: 'info', text: 'line 250' },
  ])
})

describe('a run that has lost its job', () => {
  refusesStaleFences(async ({ db }, fence) => saveTails(db, [write(fence, 1)]), new Set())

  test('keeps what it had said before', async ({ store }) => {
    const job = await store.running({}, 2)
    await saveTails(store.db, [write(job, 4)])
    expect(await saveTails(store.db, [write({ id: job.id, run: 1 }, 9)])).toEqual(new Set())
    expect(await kept(store, job.id)).toEqual([[2, 4]])
  })
})

test('finds jobs by job_pkey, at a million rows', async ({ store }) => {
  const { ids, runs } = await store.holding(100)
  const all = <T>(value: T) => ids.map(() => value)
  const plan = await store.plan('save_tails', [ids, runs, all(1), all('[]')])
  expectPlan(plan, { uses: ['job_pkey'], pages: 3_000 })
})
