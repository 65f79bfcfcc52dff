import { randomInt, randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { Database } from '../../src/store/db.ts'
import { type JobFilter, listJobs } from '../../src/store/list-jobs.ts'
import { liveManifests, queueReport, showJob } from '../../src/store/reports.ts'
import { registerWorker, revokeWorker } from '../../src/store/workers.ts'
import { useStages } from '../support/stage.ts'
import { expectPlan, MILLION, SCHEMA, test } from './contract/support.ts'

const stage = useStages()
type Stage = Awaited<ReturnType<typeof stage>>

const COLUMNS = 'created_at, run, interruptions, losses, failures, crashes, state, priority, version, queue, task'
const VALUES = "now(), 1, 2, 3, 4, 0, $2, 5, 1, $3, 't'"

/** A row in one of the three places, by its state. */
async function put(s: Stage, id: string, state: number, queue = 'q'): Promise<void> {
  if (state < 10) await s.sql(`insert into :schema.job (id, ${COLUMNS}) values ($1, ${VALUES})`, [id, state, queue])
  else if (state < 20)
    await s.sql(`insert into :schema.waiting (id, due_at, ${COLUMNS}) values ($1, now(), ${VALUES})`, [
      id,
      state,
      queue,
    ])
  else await s.sql(`insert into :schema.history (id, ${COLUMNS}) values ($1, ${VALUES})`, [id, state, queue])
}

function idOf(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`
}

async function pages(s: Stage, filter: Omit<JobFilter, 'before'>): Promise<string[][]> {
  const found: string[][] = []
  for (let before: string | undefined; ; ) {
    const page = await listJobs(s.db, { ...filter, before })
    expect(page.complete).toBe(true)
    found.push(page.jobs.map((job) => job.id))
    if (page.next === undefined) return found
    before = page.next
  }
}

describe('listJobs', () => {
  test('pages through everything, newest first, wherever the jobs are and however old', async () => {
    await using s = await stage()
    const minute = 60_000
    const ages = [
      -minute,
      0,
      500,
      999,
      1_001,
      5_000,
      minute,
      59 * minute,
      1_440 * minute,
      300 * 1_440 * minute,
      3_000 * 1_440 * minute,
    ]
    const ids = [
      randomUUID(),
      ...ages.flatMap((age) => [idOf(Date.now() - age - randomInt(10)), idOf(Date.now() - age)]),
    ]
    for (const [index, id] of ids.entries()) await put(s, id, [20, 0, 21, 10, 20, 1][index % 6] as number)
    const sorted = ids.toSorted().reverse()
    expect((await pages(s, { limit: 4 })).flat()).toEqual(sorted)
    expect(await pages(s, { limit: 100 })).toEqual([sorted])
    const failed = ids
      .filter((_, index) => index % 6 === 2)
      .toSorted()
      .reverse()
    expect((await pages(s, { limit: 2, states: ['failed'] })).flat()).toEqual(failed)
    expect(await pages(s, { limit: 2, queue: 'other' })).toEqual([[]])
  })

  test('a page that is just full says that it is the last', async () => {
    await using s = await stage()
    const ids = [idOf(Date.now() - 2_000), idOf(Date.now())]
    for (const id of ids) await put(s, id, 20)
    expect(await pages(s, { limit: 2 })).toEqual([ids.toReversed()])
  })

  test('says how far back it looked, when the rest would take too long', async () => {
    await using s = await stage()
    const [young, old] = [idOf(Date.now() - 500), idOf(Date.now() - 5_000)]
    for (const id of [young, old]) await put(s, id, 20)
    // Whoever looks further back than a second meets a row that takes its time.
    await s.sql(
      `create function :schema.slowly(json) returns boolean language plpgsql volatile as $$ begin perform pg_sleep(5); return true; end $$`,
    )
    await s.sql(`alter table :schema.history rename to history_rows`)
    await s.sql(
      `create view :schema.history as select * from :schema.history_rows where id = '${young}' or :schema.slowly(input)`,
    )
    const page = await listJobs(s.db, { limit: 5 }, 300)
    expect(page).toMatchObject({ complete: false, jobs: [{ id: young }] })
    expect((page.next as string) < young && (page.next as string) > old).toBe(true)
    await expect(listJobs(s.db, { limit: 5, before: page.next }, 300)).rejects.toMatchObject({ code: 'HF_REPORT_SLOW' })
  })

  test('finds the newest of a million at once, and the rare ones among them', async ({ store }) => {
    const db = new Database({ url: store.db.url, schema: SCHEMA })
    const begun = performance.now()
    const page = await listJobs(db, { limit: 20 })
    const failed = await listJobs(db, { limit: 20, states: ['failed'] })
    expect(performance.now() - begun).toBeLessThan(5_000)
    expect(page.jobs).toHaveLength(20)
    expect(failed.jobs.map((job) => job.state)).toEqual(Array(20).fill('failed'))
    await db.close()
  })
})

describe('showJob', () => {
  test('puts together what the tables know', async () => {
    await using s = await stage()
    const id = idOf(Date.now())
    await put(s, id, 1)
    const [worker] = await s.sql<{ key: number }>(
      `insert into :schema.worker (name, build, release, tasks, queues, manifest) values ('w1', 'b1', '0', '{t}', '{q}', '{}') returning key`,
    )
    await s.sql(`update :schema.job set worker = $2, started_at = now(), input = '{"a":1}' where id = $1`, [
      id,
      worker?.key,
    ])
    await s.sql(
      `insert into :schema.checkpoint (id, run, items, total, rate, cursor) values ($1, 1, 7, 9, 2.5, '{"after":6}')`,
      [id],
    )
    await s.sql(
      `insert into :schema.trail (job, run, worker, outcome, reason) values ($1, 1, $2, 'interrupted', 'deploy'), ($1, 2, -5, 'lost', 'w0 vanished')`,
      [id, worker?.key],
    )
    await s.sql(
      `insert into :schema.request (id, action, reason, owner, until) values ($1, 'pause', 'why', 'ann', now() + interval '1 h')`,
      [id],
    )
    await s.sql(
      `insert into :schema.part (root, part, parts, job, finished, items) values ($1, 0, 2, $1, false, 0), ($1, 1, 2, gen_random_uuid(), true, 4)`,
      [id],
    )
    const job = await showJob(s.db, id)
    expect(job).toMatchObject({
      ...{ id, state: 'running', worker: 'w1', build: 'b1', input: '{"a":1}', cursor: { after: 6 } },
      progress: { items: 7, total: 9, rate: 2.5 },
      trail: [
        { run: 1, outcome: 'interrupted', worker: 'w1', build: 'b1' },
        { run: 2, outcome: 'lost', worker: 'worker -5', build: undefined },
      ],
      asked: { action: 'pause', reason: 'why', owner: 'ann', until: expect.any(Date) },
      part: { root: id, index: 0, of: 2 },
      parts: [
        { part: 0, state: 'running', finished: false, progress: { items: 7, total: 9 } },
        { part: 1, state: undefined, finished: true, progress: { items: 4 } },
      ],
    })
    expect(await showJob(s.db, idOf(Date.now()))).toBeUndefined()
  })
})

describe('queueReport', () => {
  test('counts up to a bound, and says that there are more', async ({ store }) => {
    const db = new Database({ url: store.db.url, schema: SCHEMA })
    const { queues, waitingComplete } = await queueReport(db, ['declared'])
    expect(queues).toMatchObject([
      { queue: 'declared', ready: { count: 0, more: false }, oldestMs: undefined, waiting: {} },
      {
        queue: 'million',
        ready: { count: 10_000, more: true },
        oldestMs: expect.any(Number),
        waiting: { scheduled: 200_000 },
      },
    ])
    expect(waitingComplete).toBe(true)
    await db.close()
  })
})

describe('queueReport', () => {
  test('takes the age of whoever waits longest, in any lane and priority', async () => {
    await using s = await stage()
    const ages = { 0: 5, 1: 60, 2: 20 }
    for (const [priority, minutes] of Object.entries(ages)) {
      const id = idOf(Date.now())
      await put(s, id, 0)
      await s.sql(
        `update :schema.job set priority = $2, lane = $3, created_at = now() - $4 * interval '1 min' where id = $1`,
        [...[id, priority, Number(priority) % 2, minutes]],
      )
    }
    // Handed back: it waits since its last run at most.
    const id = idOf(Date.now())
    await put(s, id, 0)
    await s.sql(
      `update :schema.job set lane = 0, priority = 9, created_at = now() - interval '9 h', started_at = now() where id = $1`,
      [id],
    )
    const { queues } = await queueReport(s.db, [])
    expect(queues).toMatchObject([{ queue: 'q', ready: { count: 4, more: false } }])
    expect((queues[0]?.oldestMs ?? 0) / 60_000).toBeCloseTo(60, 0)
  })
})

describe('at a million rows', () => {
  const historyId = (n: number) =>
    `01970000-${n
      .toString(16)
      .padStart(8, '0')
      .replace(/^(.{4})(.{4})$/, '$1-$2')}-8000-800000000000`

  test('list_live stops after what was asked for', async ({ store }) => {
    expectPlan(await store.livingPlan('list_live', [null, null, null, null, 21]), {
      uses: ['job_pkey', 'waiting_pkey'],
      pages: 400,
    })
  })

  test('list_ended reads only its span', async ({ store }) => {
    const from = historyId(MILLION - 5_000)
    const plan = await store.plan('list_ended', [from, null, null, null, null, 21])
    expect(
      [...plan.indexes].some((index) => /^history.*id/.test(index)),
      [...plan.indexes].join(),
    ).toBe(true)
    expectPlan(plan, { uses: [], pages: 3_000 })
  })

  test('show_job finds one by its id, also in the history', async ({ store }) => {
    const plan = await store.plan('show_job', [historyId(MILLION / 2)])
    expect(
      [...plan.indexes].some((index) => /^history.*id/.test(index)),
      [...plan.indexes].join(),
    ).toBe(true)
    expectPlan(plan, { uses: ['job_pkey', 'waiting_pkey'], pages: 2_000 })
  })

  test('show_trail, show_tails and show_parts look up their job', async ({ store }) => {
    expectPlan(await store.plan('show_tails', [historyId(500), 20]), { uses: [], pages: 200 })
    const trail = await store.plan('show_trail', [historyId(500), 200])
    expectPlan(trail, { uses: [], pages: 200 })
    expectPlan(await store.plan('show_parts', [historyId(100)]), { uses: ['part_job'], pages: 200 })
  })

  test('count_ready counts to its bound and no further', async ({ store }) => {
    expectPlan(await store.livingPlan('count_ready', ['{million,mine}', 10_001]), {
      uses: ['job_ready'],
      pages: 12_000,
    })
  })
})

describe('liveManifests', () => {
  test('has each manifest once for each build and set of queues, of live workers only', async () => {
    await using s = await stage()
    const row = { release: '0', tasks: ['a'], lease: 60_000 }
    const code = { format: 1, tasks: [{ name: 'a' }] }
    const add = (name: string, build: string, queues: string[], manifest: object = code) =>
      registerWorker(s.db, { ...row, name, build, queues, manifest })
    await add('one', 'b1', ['q', 'r'])
    await add('two', 'b1', ['q', 'r'])
    await add('three', 'b1', ['q'])
    await add('four', 'b2', ['q'])
    await add('five', 'b2', ['q'], { format: 1, tasks: [] })
    await revokeWorker(s.db, await add('gone', 'b0', ['q']), true)
    expect(await liveManifests(s.db)).toEqual([
      { build: 'b1', queues: ['q', 'r'], manifest: code, workers: ['one', 'two'] },
      { build: 'b1', queues: ['q'], manifest: code, workers: ['three'] },
      { build: 'b2', queues: ['q'], manifest: code, workers: ['four'] },
      { build: 'b2', queues: ['q'], manifest: { format: 1, tasks: [] }, workers: ['five'] },
    ])
  })
})
