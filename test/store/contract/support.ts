import pg from 'pg'
import { afterAll, test as base, beforeAll, expect } from 'vitest'
import { taskKey } from '../../../src/model/task-key.ts'
import { type Claimed, claim } from '../../../src/store/claims.ts'
import { STATE_CODES } from '../../../src/store/codes.ts'
import { Database, type QueryAnswer, type Queryable } from '../../../src/store/db.ts'
import { enqueue, type NewJob } from '../../../src/store/enqueue.ts'
import { PREPARED, SETTINGS } from '../../../src/store/prepared.ts'
import { delay, finish, handBack } from '../../../src/store/settles.ts'
import type { StatementName } from '../../../src/store/statements.ts'
import { registerWorker, revokeWorker } from '../../../src/store/workers.ts'
import { MILLION, millionDatabase, SCHEMA } from '../../support/million.ts'
import { newJob } from '../../support/new-job.ts'
import { allOf, type Plan, readPlan } from './plan.ts'

/** A `Database` whose statements all go to one connection, inside its transaction. */
class OneConnection extends Database {
  readonly #client: pg.Client

  constructor(url: string, client: pg.Client) {
    super({ url, schema: SCHEMA, connections: 1 })
    this.#client = client
  }

  override query(text: string, values?: readonly unknown[]): Promise<QueryAnswer> {
    return this.#client.query(text, values as unknown[])
  }

  /** It is in one already. */
  override transaction<T>(work: (on: Queryable) => Promise<T>): Promise<T> {
    return work(this.#client)
  }
}

/** The store of one test: a transaction among a million jobs that is rolled back. Its own jobs are in the queue `mine`. */
export class Store {
  readonly db: Database
  readonly client: pg.Client
  #claims = 0

  constructor(db: Database, client: pg.Client) {
    this.db = db
    this.client = client
  }

  /** Any SQL; `job`, `waiting` and so on need no schema. */
  async rows<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.db.query(text, values)).rows as Row[]
  }

  async enqueued(job: Partial<NewJob> = {}): Promise<NewJob> {
    const all = newJob(job)
    await enqueue(this.db, [all], null)
    return all
  }

  async worker(lease = 60_000): Promise<number> {
    return registerWorker(this.db, {
      name: 'w',
      build: 'b',
      release: '0',
      tasks: ['common'],
      queues: ['mine'],
      manifest: {},
      lease,
    })
  }

  /** One claim of everything that is ready in `mine`. */
  async claim(worker: number, most = 100, number = ++this.#claims): Promise<Claimed[]> {
    return claim(this.db, { worker, claim: number, queue: 'mine', tasks: '{common}', most, bands: BANDS })
  }

  /** A job that a worker runs; its run is `runs`, because it was given back before. */
  async running(job: Partial<NewJob> = {}, runs = 1): Promise<Claimed & { worker: number }> {
    const worker = await this.worker()
    const { id, queue } = await this.enqueued(job)
    for (let turn = 1; ; turn++) {
      const [taken] = await claim(this.db, {
        worker,
        claim: ++this.#claims,
        queue,
        tasks: `{${taskKey('common', job.version ?? 1)}}`,
        most: 1,
        bands: BANDS,
      })
      if (taken?.id !== id) throw new Error('another job was in the way')
      if (turn === runs) return { ...taken, worker }
      await handBack(this.db, [{ id, run: taken.run, interrupted: false, reason: null }], {
        worker,
        claims: [taken.claim],
      })
    }
  }

  /** `most` of the million, held by a worker: what its settle statements are planned with. */
  async holding(most: number): Promise<{ worker: number; ids: string[]; runs: number[]; tids: string[] }> {
    const worker = await this.worker()
    const bands = [{ lane: 1, priority: 5, mark: somewhere(), most }]
    const jobs = await claim(this.db, { worker, claim: 1, queue: 'million', tasks: '{common}', most, bands })
    expect(jobs).toHaveLength(most)
    return { worker, ids: jobs.map(({ id }) => id), runs: jobs.map(({ run }) => run), tids: jobs.map(({ tid }) => tid) }
  }

  /** Where a job is: its row, with the name of its table; the test fails unless it is in exactly one. */
  async job(id: string): Promise<Record<string, unknown>> {
    const found = await this.rows<{ row: Record<string, unknown> }>(
      `select to_jsonb(j) || '{"table":"job"}' as row from ${SCHEMA}.job j where id = $1
       union all select to_jsonb(w) || '{"table":"waiting"}' from ${SCHEMA}.waiting w where id = $1
       union all select to_jsonb(h) || '{"table":"history"}' from ${SCHEMA}.history h where id = $1`,
      [id],
    )
    expect(found, `places of job ${id}`).toHaveLength(1)
    return (found[0] as (typeof found)[0]).row
  }

  /** All rows of one small table that belong to a job or a worker. */
  async of(
    table: 'checkpoint' | 'request' | 'trail' | 'tail' | 'ledger' | 'lease' | 'part' | 'mark',
    key: string,
    value: unknown,
  ) {
    return this.rows<Record<string, unknown>>(`select * from ${SCHEMA}.${table} where ${key} = $1`, [value])
  }

  /** Runs what is expected to fail, and keeps the transaction usable. */
  async refused(work: () => Promise<unknown>): Promise<string> {
    await this.db.query('savepoint before')
    try {
      await work()
    } catch (error) {
      await this.db.query('rollback to savepoint before')
      return (error as { code: string }).code
    }
    throw new Error('it was not refused')
  }

  /**
   * How a statement is executed, at its worst: with the statistics of a million rows, and with those that autovacuum leaves while a
   * snapshot is held. Then the table has two live rows in as many pages as before, and what looks each row up by its id seemed to the
   * planner dearer than reading the whole index: 1 s a statement, 50 s long, until the next autovacuum.
   */
  async plan(name: StatementName, values: readonly unknown[]): Promise<Plan> {
    const explain = () => this.livingPlan(name, values)
    const living = await this.#aside(explain)
    const dead = await this.#aside(explain, DEAD)
    if (!PREPARED.has(name)) return allOf(living, dead, [])
    const explainKept = () => this.#keptPlan(name, values)
    return allOf(living, dead, [await this.#aside(explainKept), await this.#aside(explainKept, DEAD)])
  }

  /** With the statistics of a million rows alone: for people's questions, which may take the other way. */
  async livingPlan(name: StatementName, values: readonly unknown[]): Promise<Plan> {
    return this.#explain(this.db.statements[name], values)
  }

  /** Undone when it is seen. */
  async #aside(look: () => Promise<Plan>, before = ''): Promise<Plan> {
    await this.rows(`savepoint aside;${before}`)
    const plan = await look()
    await this.rows('rollback to aside')
    return plan
  }

  /** A statement that its session keeps is planned for any values, and without some choices. */
  async #keptPlan(name: StatementName, values: readonly unknown[]): Promise<Plan> {
    const settings = SETTINGS.map(([setting, value]) => `set local ${setting} = ${value}`)
    await this.rows([...settings, `prepare kept as ${this.db.statements[name]}`].join(';'))
    const plan = await this.#explain(`execute kept(${values.map(literal).join(', ')})`)
    await this.rows('deallocate kept')
    return plan
  }

  async #explain(text: string, values: readonly unknown[] = []): Promise<Plan> {
    const [row] = await this.rows<{ 'QUERY PLAN': unknown[] }>(
      `explain (analyze, buffers, format json) ${text}`,
      values,
    )
    return readPlan(row?.['QUERY PLAN'][0])
  }
}

/** What autovacuum counts while a snapshot is held. */
const DEAD = `update pg_class set reltuples = 2 where oid = '${SCHEMA}.job'::regclass or oid in (
  select indexrelid from pg_index where indrelid = '${SCHEMA}.job'::regclass)`

/** As the driver would send it. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return pg.escapeLiteral(`{${value.map((each) => JSON.stringify(each)).join(',')}}`)
  return typeof value === 'string' ? pg.escapeLiteral(value) : String(value)
}

export const BANDS = [0, 1].map((lane) => ({ lane, priority: 5, mark: 0, most: 100 }))

let url: string
let connection: pg.Client

beforeAll(async () => {
  url = await millionDatabase()
  connection = new pg.Client({ connectionString: url })
  await connection.connect()
}, 120_000)
afterAll(() => connection?.end())

export const test = base.extend<{ store: Store }>({
  store: async ({ task: _ }, use) => {
    await connection.query('begin')
    await use(new Store(new OneConnection(url, connection), connection))
    await connection.query('rollback')
  },
})

/** Ways in which a run may have lost its job, each with a fence that no statement may accept. */
export const MOVED_ON: Record<string, (store: Store) => Promise<{ id: string; run: number }>> = {
  'an earlier run': async (store) => {
    const { id, run } = await store.running({}, 2)
    return { id, run: run - 1 }
  },
  'a run that is still to come': async (store) => {
    const { id, run } = await store.running()
    return { id, run: run + 1 }
  },
  'a run that gave the job back': async (store) => {
    const { id, run, worker } = await store.running()
    await handBack(store.db, [{ id, run, interrupted: false, reason: null }], { worker, claims: [] })
    return { id, run }
  },
  'a run that put the job away': async (store) => {
    const { id, run, worker } = await store.running()
    const write = {
      id,
      run,
      state: STATE_CODES.snoozed,
      until: { kind: 'delay', ms: 60_000 },
      failed: false,
      reason: null,
      error: null,
    } as const
    await delay(store.db, [write], { worker, claims: [] })
    return { id, run }
  },
  'a run that ended the job': async (store) => {
    const { id, run, worker } = await store.running()
    await finish(store.db, [{ id, run, state: STATE_CODES.completed, result: null, error: null, keep: true }], {
      worker,
      claims: [],
    })
    return { id, run }
  },
  'a run of a worker that was revoked': async (store) => {
    const { id, run, worker } = await store.running()
    await revokeWorker(store.db, worker, true)
    await store.db.run('release', [worker, 'test', 'lost', null])
    return { id, run }
  },
}

/** One test a way of moving on: `attempt` must write nothing. What it resolves with is compared with `refusal`. */
export function refusesStaleFences(
  attempt: (store: Store, fence: { id: string; run: number }) => Promise<unknown>,
  refusal: unknown,
): void {
  test.for(Object.entries(MOVED_ON))('refuses %s, and writes nothing', async ([, moveOn], { store }) => {
    const fence = await moveOn(store)
    const before = await snapshot(store, fence.id)
    expect(await attempt(store, fence)).toEqual(refusal)
    expect(await snapshot(store, fence.id)).toEqual(before)
  })
}

/** Everything that is known of a job. */
async function snapshot(store: Store, id: string): Promise<unknown> {
  return {
    job: await store.job(id),
    checkpoint: await store.of('checkpoint', 'id', id),
    request: await store.of('request', 'id', id),
    trail: await store.of('trail', 'job', id),
    tail: await store.of('tail', 'job', id),
    part: await store.of('part', 'root', id),
  }
}

/**
 * A position among the million. Tests that write to many rows begin there, because versions that others have rolled back fill the
 * pages, and nothing prunes them while a transaction is open somewhere.
 */
export function somewhere(): number {
  return Math.floor(Math.random() * 0.9 * MILLION)
}

/** Ids of `n` of the million ready jobs, side by side. */
export function readyIds(n: number, after = 0): string[] {
  return Array.from({ length: n }, (_, index) => {
    const hex = (after + index + 1).toString(16).padStart(8, '0')
    return `01980000-${hex.slice(0, 4)}-${hex.slice(4)}-7000-800000000000`
  })
}

export { expectPlan } from './plan.ts'
export { MILLION, SCHEMA }
