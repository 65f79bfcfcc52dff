import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { range } from '../../src/sources.ts'
import { type StagedWorker, useStages } from '../support/stage.ts'
import { end, prepared } from './support.ts'

const DEPLOYS = Number(process.env['HOLDFAST_DEPLOYS'] ?? 40)
const ITEMS = 500
const stages = useStages('create table done (item integer not null)')
vi.setConfig({ testTimeout: 60_000 + DEPLOYS * 2_000 })

test(`${DEPLOYS} deploys over one long job: it ends exactly once, and nothing grows with them that should not`, async () => {
  await using stage = await stages()
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  let deployed = 0
  const long = jobs.iteration({
    name: 'long',
    queue: 'bulk',
    items: () => range(0, ITEMS),
    async each(item, { tx }) {
      await tx.query('insert into done (item) values ($1)', [item])
      // It must not end before the last deploy, however quick the machine is.
      if (item > (ITEMS * deployed) / DEPLOYS) await sleep(20)
      while (item > ITEMS - 50 && deployed < DEPLOYS) {
        await sleep(20)
        return
      }
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
  const rows = await stage.sql<{ table: string; rows: number; bytes: number }>(
    `select relname as table, n_live_tup::int as rows, pg_total_relation_size(relid)::int as bytes
     from pg_stat_user_tables where schemaname = $1`,
    [stage.schema],
  )
  // What each deploy leaves: its own row, its worker's, and a line of the job's story. All of it is pruned by age.
  const most = Math.max(1_000_000, DEPLOYS * 2_000)
  for (const { table, bytes } of rows) expect(bytes, table).toBeLessThan(most)
  const of = (table: string) => stage.sql<{ n: number }>(`select count(*)::int as n from :schema.${table}`)
  for (const table of ['job', 'waiting', 'ledger', 'checkpoint', 'request'])
    expect((await of(table))[0]?.n, table).toBe(0)
  expect((await of('lease'))[0]?.n).toBe(1)
  expect((await of('mark'))[0]?.n).toBeLessThan(20)
})
