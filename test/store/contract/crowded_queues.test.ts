import { expect } from 'vitest'
import { crowdedQueues } from '../../../src/store/claims.ts'
import { revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, test } from './support.ts'

const NOBODY = 0

test('tells the queues in which a job is ready, and no others', async ({ store }) => {
  expect(await crowdedQueues(store.db, NOBODY, ['mine', 'nobodys'])).toEqual([])
  await store.enqueued()
  expect(await crowdedQueues(store.db, NOBODY, ['mine', 'nobodys'])).toEqual(['mine'])
  expect(await crowdedQueues(store.db, NOBODY, [])).toEqual([])
})

test('a job that waits for its time crowds nothing', async ({ store }) => {
  await store.enqueued({ after: { kind: 'delay', ms: 30_000 } })
  expect(await crowdedQueues(store.db, NOBODY, ['mine'])).toEqual([])
})

test('a queue is crowded while every other worker that serves it is full', async ({ store }) => {
  const mine = await store.worker()
  const other = await store.worker()
  const ask = () => crowdedQueues(store.db, mine, ['mine', 'nobodys'])
  expect(await ask()).toEqual([])
  await store.enqueued()
  await store.claim(other)
  expect(await ask()).toEqual(['mine'])
  // Its own slots do not count: it leaves.
  expect(await crowdedQueues(store.db, other, ['mine'])).toEqual([])
  const third = await store.worker()
  expect(await ask()).toEqual([])
  await store.enqueued()
  await store.claim(third)
  expect(await ask()).toEqual(['mine'])
})

test('who is alone asks for nobody: neither a dead worker nor one that may not claim counts', async ({ store }) => {
  const mine = await store.worker()
  for (const how of ['revoked', 'held']) {
    const other = await store.worker()
    await store.enqueued()
    await store.claim(other)
    expect(await crowdedQueues(store.db, mine, ['mine']), how).toEqual(['mine'])
    if (how === 'revoked') await revokeWorker(store.db, other, true)
    else await store.rows('update holdfast.worker set claiming = false where key = $1', [other])
    expect(await crowdedQueues(store.db, mine, ['mine']), how).toEqual([])
  }
})

test('in a large fleet nobody counts', async ({ store }) => {
  const mine = await store.worker()
  for (let n = 0; n < 21; n++) {
    const other = await store.worker()
    await store.enqueued()
    await store.claim(other)
    expect(await crowdedQueues(store.db, mine, ['mine'])).toEqual(n < 20 ? ['mine'] : [])
  }
})

test.for(['mine', 'nobodys'])('reads the first entry of job_ready of %s', async (queue, { store }) => {
  expectPlan(await store.plan('crowded_queues', [[queue], NOBODY]), { uses: ['job_ready'], pages: 60 })
})

test('looks at what a full worker runs by the ledger', async ({ store }) => {
  const other = await store.worker()
  await store.enqueued()
  await store.claim(other)
  expectPlan(await store.plan('crowded_queues', [['mine'], NOBODY]), {
    uses: ['ledger_pkey', 'job_pkey'],
    pages: 60,
  })
})
