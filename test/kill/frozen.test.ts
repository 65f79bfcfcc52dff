import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { carry, QUEUES, spare, WRITE_NAMES, walk, zombie } from '../fixtures/apps/zombie.ts'
import { holdLock } from '../support/lock.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess } from '../support/worker-process.ts'

const stages = useStages('create table gate (open int); create table effect (job uuid, item int)')

interface Effect {
  job: string
  item: number
}

async function effectsOf(stage: Stage, job: string): Promise<number[]> {
  const rows = await stage.sql<Effect>('select item from effect where job = $1 order by item', [job])
  return rows.map((row) => row.item)
}

test.concurrent('a worker that was frozen past its lease can write nothing when it wakes: others own its jobs', {
  timeout: 90_000,
}, async ({ expect }) => {
  await using stage = await stages()
  using witness = createWitness()
  const place = { app: 'zombie', database: stage.database, schema: stage.schema, witness: witness.path }
  const jobs = stage.holdfast({ queues: QUEUES })
  const ids: { id: string; write: string; queue: 'default' | 'unserved' }[] = []
  for (const write of WRITE_NAMES) {
    for (const queue of ['default', 'unserved'] as const) {
      ids.push({ ...(await jobs.enqueue(zombie, { write }, { queue })), write, queue })
    }
  }
  const carried = await jobs.enqueue(carry, { items: 200 })
  const walked = await jobs.enqueue(walk, { items: 400 })
  // After the jobs: so it takes all of a queue with one claim, noted in one row of the ledger.
  await using frozen = await startWorkerProcess({ ...place, queues: ['default', 'unserved'], env: { ROLE: 'zombie' } })
  await until(() => witness.saw('holding').length === ids.length, { what: 'the first worker holds every job' })
  await until(() => witness.saw('batch').length >= 3 && witness.saw('step').length >= 50, { what: 'iterations run' })

  // One row is locked while the others are given back: for its sake the claim is looked at again, when they have moved on.
  const locked = ids[0]?.id
  await using lock = await holdLock(stage, 'select from :schema.job where id = $1 for update', [locked])
  frozen.signal('SIGSTOP')
  await using heir = await startWorkerProcess({ ...place, queues: ['default'], env: { ROLE: 'heir' } })
  const heirs = () => witness.saw('holding').filter((sighting) => sighting['role'] === 'heir')
  await until(() => heirs().length >= WRITE_NAMES.length - 1, { what: 'the heir holds every job but the locked one' })
  await lock.release()
  await until(() => heirs().length >= WRITE_NAMES.length, { what: 'the heir holds every job that it may' })
  await sleep(1_200) // two sweeps later nothing has changed
  expect(heirs(), 'each job was given back once').toHaveLength(WRITE_NAMES.length)
  await jobs.enqueue(spare)
  const before = await snapshot(stage, ids)

  frozen.signal('SIGCONT')
  await until(() => witness.saw('tried').length === ids.length, { what: 'the woken worker tried every write' })
  const tried = witness.saw('tried')
  for (const { id, write, queue } of ids) {
    const outcome = tried.find((sighting) => sighting['id'] === id)?.['outcome']
    expect
      .soft(outcome, `${write} of a job that ${queue === 'default' ? 'another runs' : 'is ready'}`)
      .toMatch(/^(refused|HF_FENCED)$/)
  }
  expect(await snapshot(stage, ids)).toEqual(before)
  await frozen.logged('lost its lease')
  await frozen.logged('goes on as a new incarnation')

  await stage.sql('alter table gate rename to was_open; create table gate as select 1 as open')
  for (const { id, queue } of ids) {
    if (queue === 'unserved') continue
    const job = await stage.ended(id)
    expect(job).toMatchObject({ state: 'completed', run: 2, failures: 0, losses: 1, result: { by: 'heir' } })
  }
  expect(await stage.ended(carried.id)).toMatchObject({ state: 'completed', failures: 0, items: 40 })
  expect(await effectsOf(stage, carried.id)).toEqual(Array.from({ length: 200 }, (_, item) => item))
  expect(await stage.ended(walked.id)).toMatchObject({ state: 'completed', failures: 0, items: 400 })
  const steps = new Set(witness.saw('step').map((sighting) => sighting['item']))
  expect(steps.size).toBe(400)
  expect(heir.ended).toBeUndefined()
})

/** All that a stale write could have changed. */
async function snapshot(stage: Stage, ids: readonly { id: string }[]): Promise<unknown> {
  const list = ids.map(({ id }) => id)
  const rows = await stage.sql(
    `select id, state, run, lane, interruptions, losses, failures, worker, position from :schema.job where id = any($1) order by id`,
    [list],
  )
  const [counts] = await stage.sql(
    `select (select count(*) from :schema.history where id = any($1)) as ended, (select count(*) from :schema.waiting) as waiting,
      (select count(*) from :schema.checkpoint where id = any($1)) as checkpoints, (select count(*) from :schema.part) as parts,
      (select count(*) from effect where job = any($1)) as effects, (select run from :schema.job where queue = 'spare') as spare_run`,
    [list],
  )
  return { rows, counts }
}

test.concurrent('a lone worker that was frozen past its lease loses nothing: it takes its own jobs up again', {
  timeout: 90_000,
}, async () => {
  await using stage = await stages()
  using witness = createWitness()
  const jobs = stage.holdfast({ queues: QUEUES })
  await using lone = await startWorkerProcess({
    app: 'zombie',
    database: stage.database,
    schema: stage.schema,
    witness: witness.path,
  })
  const carried = await jobs.enqueue(carry, { items: 300 })
  const walked = await jobs.enqueue(walk, { items: 400 })
  await until(() => witness.saw('batch').length >= 3 && witness.saw('step').length >= 50, { what: 'iterations run' })
  lone.signal('SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  lone.signal('SIGCONT')
  expect(await stage.ended(carried.id)).toMatchObject({ state: 'completed', failures: 0, items: 60 })
  expect(await effectsOf(stage, carried.id)).toEqual(Array.from({ length: 300 }, (_, item) => item))
  expect(await stage.ended(walked.id)).toMatchObject({ state: 'completed', failures: 0, items: 400 })
})
