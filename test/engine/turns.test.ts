import { expect } from 'vitest'
import { range } from '../../src/sources.ts'
import { Database } from '../../src/store/db.ts'
import { readRows } from '../../src/store/reading.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { test } from './support.ts'

const stages = useStages()
/** Connections that a worker lends to its jobs. */
const LENT = 10
const NO_WAIT = { begins: () => new AbortController().signal, ends: () => {} }

test('slow pages of a source leave the engine its own connections', async () => {
  await using stage = await stages()
  const db = new Database({ url: stage.database, schema: stage.schema, connections: 1 })
  let read = false
  const reading = readRows(db, 'select pg_sleep(1)', [], NO_WAIT).then(() => {
    read = true
  })
  await db.query('select 1')
  expect(read).toBe(false)
  await reading
  await db.close()
})

/** As many iterations as there are connections, each in the middle of an item until it is let go, and one that waits for its turn. */
async function crowd(stage: Awaited<ReturnType<typeof stages>>, stallAfter: string) {
  const jobs = stage.holdfast()
  let open = false
  let inside = 0
  const busy = jobs.iteration({
    name: 'busy',
    items: () => range(0, 1),
    async each(_, { tx }) {
      inside++
      // In a statement: nobody ends a transaction that is not idle.
      while (!open) await tx.query('select pg_sleep(0.05)')
    },
  })
  let done = 0
  const late = jobs.iteration({
    name: 'late',
    stallAfter: stallAfter as '1s',
    items: () => range(0, 1),
    each: () => void done++,
  })
  const worker = await stage.start(jobs.app({ tasks: [busy, late], concurrency: 20 }))
  for (let n = 0; n < LENT; n++) await jobs.enqueue(busy)
  await until(() => inside === LENT, { what: 'every connection is lent' })
  const { id } = await jobs.enqueue(late)
  await stage.reached(id, 'running')
  const letGo = () => {
    open = true
  }
  return { worker, id, open: letGo, done: () => done }
}

test('an iteration that waits for a connection does not stand still', async () => {
  await using stage = await stages()
  const { worker, id, open } = await crowd(stage, '500ms')
  const from = performance.now()
  await until(() => performance.now() - from > 2_500, { what: 'five times as long as it may stand still' })
  expect(worker.log.filter(({ message }) => message.includes('made no progress'))).toEqual([])
  open()
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, failures: 0 })
})

test('an iteration that waits for a connection stops at once when it is told to', async () => {
  await using stage = await stages()
  const { worker, id, open, done } = await crowd(stage, '60s')
  const leaving = worker.shutdown({ reason: 'deploy' })
  expect(await stage.reached(id, 'ready', 10_000)).toMatchObject({ interruptions: 1, failures: 0 })
  expect(done()).toBe(0)
  open()
  await leaving
})
