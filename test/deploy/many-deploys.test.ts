import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { Source } from '../../src/index.ts'
import { range } from '../../src/sources.ts'
import { showJob } from '../../src/store/reports.ts'
import { type StagedWorker, useStages } from '../support/stage.ts'
import { end, prepared } from './support.ts'

const DEPLOYS = Number(process.env['HOLDFAST_DEPLOYS'] ?? 40)
const ITEMS = 500
/** What `jobs show` tells of a job at most. */
const TRAIL_MOST = 200
/** Of any table, and of all together: what a thousand deploys leave until they are pruned by age fits in it, and so does what 40 leave. */
const TABLE_MOST = 1_000_000
const SCHEMA_MOST = 5_000_000
/** Two queues, of which each has two lanes and ten priorities. */
const MARKS_MOST = 2 * 2 * 10
const stages = useStages('create table done (item integer not null)')
vi.setConfig({ testTimeout: 60_000 + DEPLOYS * 2_000 })

test(`${DEPLOYS} deploys over one long job: it ends exactly once, and nothing grows with them that should not`, async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  let deployed = 0
  const long = jobs.iteration({
    name: 'long',
    queue: 'bulk',
    // It must not end before the last deploy, however quick the machine is.
    items: () => heldAtItsLast(ITEMS, () => deployed === DEPLOYS),
    async each(item, { tx }) {
      await tx.query('insert into done (item) values ($1)', [item])
      // And the deploys must meet it everywhere.
      if (item > (ITEMS * deployed) / DEPLOYS) await sleep(20)
    },
  })
  const app = jobs.app({ tasks: [long] })
  let worker: StagedWorker = await stage.start(app, { build: 'build-0' })
  const { id } = await jobs.enqueue(long)
  await stage.reached(id, 'running')
  for (let n = 1; n <= DEPLOYS; n++) {
    const gate = await prepared(stage, { require: 'idle', build: `build-${n}` })
    expect(gate).toMatchObject({ passed: true })
    await worker.shutdown()
    worker = await stage.start(app, { build: `build-${n}` })
    await end(stage, gate.number)
    await stage.reached(id, 'running')
    deployed = n
  }
  const ended = await stage.ended(id, 120_000)
  expect(ended).toMatchObject({
    state: 'completed',
    interruptions: DEPLOYS,
    failures: 0,
    crashes: 0,
    losses: 0,
    items: ITEMS,
  })
  const witnessed = await stage.sql('select count(*)::int as items, count(distinct item)::int as different from done')
  expect(witnessed).toEqual([{ items: ITEMS, different: ITEMS }])
  // What each deploy leaves: its own row, its worker's, and a line of the job's story. All of it is pruned by age.
  const details = await showJob(stage.db, id)
  expect(details?.trail.length).toBe(Math.min(DEPLOYS, TRAIL_MOST))
  const tables = await stage.sql<{ table: string; bytes: number }>(
    'select relname as table, pg_total_relation_size(relid)::int as bytes from pg_stat_user_tables where schemaname = $1',
    [stage.schema],
  )
  for (const { table, bytes } of tables) expect(bytes, table).toBeLessThan(TABLE_MOST)
  const all = tables.reduce((sum, { bytes }) => sum + bytes, 0)
  expect(all, 'everything together').toBeLessThan(SCHEMA_MOST)
  process.stderr.write(`${DEPLOYS} deploys: ${all} bytes, of which ${JSON.stringify(biggest(tables))}\n`)
  const of = (table: string) => stage.sql<{ n: number }>(`select count(*)::int as n from :schema.${table}`)
  for (const table of ['job', 'waiting', 'ledger', 'checkpoint', 'request'])
    expect((await of(table))[0]?.n, table).toBe(0)
  expect((await of('lease'))[0]?.n).toBe(1)
  expect((await of('mark'))[0]?.n).toBeLessThanOrEqual(MARKS_MOST)
})

function biggest(tables: readonly { table: string; bytes: number }[]) {
  return Object.fromEntries(
    tables
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, 5)
      .map(({ table, bytes }) => [table, bytes]),
  )
}

/** The numbers from 0, of which the last one comes when it may, or in the next run. */
function heldAtItsLast(count: number, mayEnd: () => boolean): Source<number> {
  const numbers = range(0, count)
  return {
    ...numbers,
    async *open(cursor, context) {
      for await (const read of numbers.open(cursor, context)) {
        if (read.item === count - 1) while (!mayEnd()) await sleep(20, undefined, { signal: context.signal })
        yield read
      }
    },
  }
}
