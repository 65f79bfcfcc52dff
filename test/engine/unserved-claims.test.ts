import { expect } from 'vitest'
import { acceptsOf, Marks } from '../../src/engine/marks.ts'
import { STATEMENTS } from '../../src/store/sql.gen.ts'
import { inSchema } from '../../src/store/statements.ts'
import { loadMarks, type Mark } from '../../src/store/upkeep.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { test } from './support.ts'

const stages = useStages()
const MANY = 100_000

/** Ready jobs of a task that nobody has, in front of all others. */
async function crowd(stage: Stage): Promise<number> {
  const [row] = await stage.sql<{ last: number }>(
    `with added as (
      insert into :schema.job (id, queue, task, version) select gen_random_uuid(), 'default', 'known', 2 from generate_series(1, ${MANY})
      returning position
    ) select max(position)::int as last from added`,
  )
  await stage.sql('analyze :schema.job')
  return row?.last ?? 0
}

/** Pages that a claim with these marks touches. */
async function pagesOf(stage: Stage, worker: number, marks: readonly Mark[]): Promise<number> {
  const bands = new Marks('default', marks).bands(10)
  const values = [
    ...[worker, 1, 'default', ['known'], 10],
    ...[
      bands.map(({ lane }) => lane),
      bands.map(({ priority }) => priority),
      bands.map(({ mark }) => mark),
      bands.map(() => 10),
    ],
  ]
  const text = `explain (analyze, buffers, format json) ${inSchema(STATEMENTS.claim, stage.schema)}`
  const [row] = await stage.sql<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(text, values)
  const plan = row?.['QUERY PLAN'][0].Plan ?? {}
  return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)
}

test('a crowd of jobs that no worker takes does not slow the claims of others', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const last = await crowd(stage)
  const known = jobs.task({ name: 'known', run: () => 'ran' })
  const worker = await stage.start(jobs.app({ tasks: [known], pollInterval: '50ms' }))
  const { id } = await jobs.enqueue(known)
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  const published = () => loadMarks(stage.db, acceptsOf(['known']), ['default'])
  await until(async () => (await published()).some(({ position }) => position > last), {
    what: 'the mark is above them',
  })
  const before = await pagesOf(stage, worker.key ?? 0, [])
  const after = await pagesOf(stage, worker.key ?? 0, await published())
  expect(before).toBeGreaterThan(1_000)
  expect(after).toBeLessThan(200)
  // They are where they were, and a worker that takes them begins with them.
  expect(await stage.sql('select count(*)::int as left from :schema.job')).toEqual([{ left: MANY }])
})

test('nor does an idle worker read it again and again', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const last = await crowd(stage)
  const known = jobs.task({ name: 'known', run: () => 'ran' })
  const worker = await stage.start(jobs.app({ tasks: [known], pollInterval: '50ms' }))
  const published = () => loadMarks(stage.db, acceptsOf(['known']), ['default'])
  await until(async () => (await published()).length === 20, { what: 'every band has its mark' })
  await until(async () => (await published()).every(({ position }) => position >= last), { what: 'all are above them' })
  expect(await pagesOf(stage, worker.key ?? 0, await published())).toBeLessThan(200)
  // What comes now is above the marks.
  const { id } = await jobs.enqueue(known, undefined, { priority: 0 })
  expect(await stage.ended(id)).toMatchObject({ state: 'completed' })
  const retried = await jobs.enqueue(known, undefined, { after: '1s' })
  expect(await stage.ended(retried.id)).toMatchObject({ state: 'completed' })
  expect(worker.log.filter(({ level }) => level !== 'info' && level !== 'warn')).toEqual([])
})
