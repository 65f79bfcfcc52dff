import { describe, expect } from 'vitest'
import { publishMarks } from '../../../src/store/upkeep.ts'
import { expectPlan, type Store, somewhere, test } from './support.ts'

const lift = (store: Store, floor = 0, most = 100) => store.db.run('lift_stragglers', [floor, most])

/** A ready job with a mark over it, relative to its position. */
async function marked(store: Store, above: number, tasks = ['common']): Promise<{ id: string; position: number }> {
  const { id } = await store.enqueued()
  const { position } = (await store.job(id)) as { position: number }
  await publishMarks(store.db, 'set', tasks, [{ queue: 'mine', lane: 1, priority: 5, position: position + above }])
  return { id, position }
}

test('lifts ready jobs at or below a mark to the front, with a fresh position', async ({ store }) => {
  const { id, position } = await marked(store, 0)
  expect(await lift(store)).toEqual([{ queue: 'mine', jobs: 1 }])
  const job = await store.job(id)
  expect(job).toMatchObject({ state: 0, lane: 0 })
  expect(job['position']).toBeGreaterThan(position)
})

describe('leaves', () => {
  test('what is above the mark', async ({ store }) => {
    await marked(store, -1)
    expect(await lift(store)).toEqual([])
  })

  test('what is at or below the floor', async ({ store }) => {
    const { position } = await marked(store, 0)
    expect(await lift(store, position)).toEqual([])
    expect(await lift(store, position - 1)).toHaveLength(1)
  })

  test('what runs', async ({ store }) => {
    const { id, position } = await store.running()
    await publishMarks(store.db, 'set', ['common'], [{ queue: 'mine', lane: 1, priority: 5, position: position + 1 }])
    expect(await lift(store)).toEqual([])
    expect(await store.job(id)).toMatchObject({ state: 1, position })
  })

  test('a version that the mark does not speak of', async ({ store }) => {
    const { id } = await marked(store, 1, ['common', 'common@3'])
    await store.rows('update holdfast.job set version = 2 where id = $1', [id])
    expect(await lift(store)).toEqual([])
    await store.rows('update holdfast.job set version = 3 where id = $1', [id])
    expect(await lift(store)).toHaveLength(1)
  })

  test('a task that the mark does not speak of', async ({ store }) => {
    await marked(store, 1, ['another'])
    expect(await lift(store)).toEqual([])
  })
})

test('lifts at most so many at once', async ({ store }) => {
  await store.enqueued()
  await store.enqueued()
  await marked(store, 1)
  expect(await lift(store, 0, 2)).toEqual([{ queue: 'mine', jobs: 2 }])
})

test('lifts a job once, though several marks are above it', async ({ store }) => {
  const { position } = await marked(store, 1)
  await publishMarks(
    store.db,
    'more',
    ['common', 'b'],
    [{ queue: 'mine', lane: 1, priority: 5, position: position + 9 }],
  )
  expect(await lift(store)).toEqual([{ queue: 'mine', jobs: 1 }])
})

test('reads job_ready between floor and mark only, at a million rows', async ({ store }) => {
  const floor = somewhere()
  const band = (priority: number) => ({ queue: 'million', lane: 1, priority, position: floor + 50 })
  const priorities = Array.from({ length: 10 }, (_, priority) => priority)
  await publishMarks(store.db, 'set', ['common'], priorities.map(band))
  expectPlan(await store.plan('lift_stragglers', [floor, 1_000]), { uses: ['job_ready'], pages: 1_300 })
})
