import pg from 'pg'
import { expect, test } from 'vitest'
import { isTransient } from '../../src/store/db-errors.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'

const stages = useStages()

async function today(stage: Stage): Promise<{ name: string; from: string; to: string }> {
  const [day] = await stage.db.run<{ name: string; from: string; to: string }>('partitions', [
    stage.schema,
    'history',
    0,
    0,
  ])
  return day as { name: string; from: string; to: string }
}

const ENDED = `insert into :schema.history (id, created_at, ended_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task)
  values (gen_random_uuid(), now(), now(), 1, 0, 0, 0, 0, 20, 5, 1, 'default', 'common')`

test('a job that ends while the partition of its day is attached may end a moment later: another try works', async () => {
  await using stage = await stages()
  const { name, from, to } = await today(stage)
  const maker = new pg.Client({ connectionString: stage.database })
  await maker.connect()
  await maker.query(`begin; create table ${stage.schema}.${name} (like ${stage.schema}.history including defaults);
    alter table ${stage.schema}.history attach partition ${stage.schema}.${name} for values from ('${from} 00:00:00+00') to ('${to} 00:00:00+00')`)

  const ending = stage.sql(ENDED).then(
    () => undefined,
    (error: unknown) => error,
  )
  const waits = `select from pg_locks where not granted and relation = '${stage.schema}.history_default'::regclass`
  await until(async () => (await maker.query(waits)).rowCount === 1, {
    what: 'the job waits for the default partition',
  })
  await maker.query('commit')
  const refusal = await ending
  expect(refusal).toMatchObject({ code: '23514' })
  expect(isTransient(refusal)).toBe(true)
  await stage.sql(ENDED)
  await maker.end()
})

test('a row that breaks a rule of its table will break it again', async () => {
  await using stage = await stages()
  await stage.sql('create table :schema.rule (n int check (n > 0))')
  const refusal = await stage.sql('insert into :schema.rule values (-1)').catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: '23514' })
  expect(isTransient(refusal)).toBe(false)
})

test('a worker that has started has made the partition of today, so that nothing it ends meets that', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  await stage.start(jobs.app({ tasks: [jobs.task({ name: 'hello', run() {} })] }))
  expect(await today(stage)).toMatchObject({ present: true })
})
