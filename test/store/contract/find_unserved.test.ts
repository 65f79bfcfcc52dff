import { expect } from 'vitest'
import { registerWorker, revokeWorker } from '../../../src/store/workers.ts'
import { expectPlan, type Store, test } from './support.ts'

const worker = (store: Store, tasks: string[], queues: string[], lease = 60_000) =>
  registerWorker(store.db, { name: 'w', build: 'b', release: '0', tasks, queues, manifest: {}, lease })

/** What the oldest worker finds; the test's own queue alone, among the million of another. */
async function look(store: Store, asks: number, most = 100): Promise<Record<string, unknown>[] | undefined> {
  const [row] = await store.db.run<{ found: string }>('find_unserved', [asks, most])
  if (row === undefined) return undefined
  const found = JSON.parse(row.found) as Record<string, unknown>[]
  return found.filter(({ queue }) => queue !== 'million').map(({ ms: _, ...rest }) => rest)
}

const waits = { queue: 'mine', jobs: 1, served: true, known: true }

test('finds what no live worker of its queue takes, by task and version', async ({ store }) => {
  const asks = await worker(store, ['common', 'common@3', 'known'], ['mine', 'million'])
  for (const [task, version] of [
    ['common', 1],
    ['common', 2],
    ['common', 3],
    ['other', 1],
    ['known', 1],
  ] as const)
    await store.enqueued({ task, version })
  await store.enqueued({ queue: 'nobody', priority: 9 })
  const found = await look(store, asks)
  expect(found).toHaveLength(3)
  expect(found).toEqual(
    expect.arrayContaining([
      { ...waits, task: 'common', version: 2 },
      { ...waits, task: 'other', version: 1, known: false },
      { ...waits, queue: 'nobody', task: 'common', version: 1, served: false, known: false },
    ]),
  )
})

test('counts workers that live, whether they are held or not', async ({ store }) => {
  const asks = await worker(store, ['known'], ['mine'])
  await worker(store, ['lapsed'], ['mine'], -1)
  await revokeWorker(store.db, await worker(store, ['revoked'], ['mine']), true)
  const held = await worker(store, ['held'], ['mine'])
  await store.rows('update holdfast.worker set claiming = false where key = $1', [held])
  for (const task of ['lapsed', 'revoked', 'held']) await store.enqueued({ task })
  const found = await look(store, asks)
  expect(found?.map(({ task }) => task).sort()).toEqual(['lapsed', 'revoked'])
})

test('answers the oldest live worker alone', async ({ store }) => {
  const lapsed = await worker(store, [], ['mine'], -1)
  const oldest = await worker(store, [], ['mine'])
  const young = await worker(store, [], ['mine'])
  expect(await look(store, lapsed)).toBeUndefined()
  expect(await look(store, young)).toBeUndefined()
  expect(await look(store, oldest)).toEqual([])
})

test('looks at so many of each band', async ({ store }) => {
  const asks = await worker(store, [], ['mine'])
  for (let n = 0; n < 3; n++) await store.enqueued({ task: 'front' })
  await store.enqueued({ task: 'behind' })
  await store.enqueued({ task: 'elsewhere', priority: 2 })
  const found = await look(store, asks, 3)
  expect(found?.map(({ task, jobs }) => [task, jobs])).toEqual([
    ['front', 3],
    ['elsewhere', 1],
  ])
})

test('says how long the oldest has been waiting', async ({ store }) => {
  const asks = await worker(store, [], ['mine'])
  const { id } = await store.enqueued({ task: 'old' })
  await store.enqueued({ task: 'old' })
  await store.rows("update holdfast.job set created_at = now() - interval '1 hour' where id = $1", [id])
  const [row] = await store.db.run<{ found: string }>('find_unserved', [asks, 10])
  const found = JSON.parse(row?.found ?? '[]') as { task: string; ms: number }[]
  expect(found.find(({ task }) => task === 'old')?.ms).toBeGreaterThan(3_599_000)
})

test('reads the front of each band only, at a million rows', async ({ store }) => {
  const asks = await worker(store, [], ['mine'])
  await store.rows("insert into holdfast.job (id, queue, task) values (gen_random_uuid(), 'zzz', 'common')")
  expectPlan(await store.plan('find_unserved', [asks, 1_000]), { uses: ['job_ready'], pages: 1_500 })
})
