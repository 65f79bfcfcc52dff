import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { holdfast } from '../../src/index.ts'
import { type StateName, stateName } from '../../src/store/codes.ts'
import { Database } from '../../src/store/db.ts'
import { migrate } from '../../src/store/migrate.ts'
import { inSchema } from '../../src/store/statements.ts'
import type { LogLine } from '../../src/surfaces/log.ts'
import { type RunningWorker, type StartOptions, startWork } from '../../src/worker.ts'
import { createDatabase, type TestDatabase } from './database.ts'
import { until } from './until.ts'

/** A job, wherever it is. */
export interface Found {
  readonly id: string
  readonly state: StateName
  readonly task: string
  readonly queue: string
  readonly run: number
  readonly failures: number
  readonly interruptions: number
  readonly losses: number
  readonly crashes: number
  /** Of an ended job. */
  readonly result: unknown
  readonly error: {
    name: string
    message: string
    code?: string
    where?: string
    final?: string
    cause?: object
  } | null
  /** Of an iteration: saved now, or at its end. */
  readonly items: number | null
  readonly total: number | null
  readonly cursor: unknown
}

export interface StagedWorker extends RunningWorker {
  readonly log: readonly LogLine[]
  /** Waits for a line of its log. */
  logged(words: string): Promise<LogLine>
}

/** A schema of its own for one test: nothing of another test is in sight, and notifications go another way. */
export interface Stage extends AsyncDisposable {
  readonly database: string
  readonly schema: string
  /** For `holdfast(…)`. */
  readonly place: { readonly database: string; readonly schema: string }
  /** Asks the database; `:schema.` stands for the schema. */
  sql<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** A worker in this process, shut down with the stage. */
  start(app: unknown, options?: StartOptions): Promise<StagedWorker>
  /** Shuts the stage's client down at the end. */
  holdfast: typeof holdfast
  /** The engine's own database object, for the typed functions of the store. */
  readonly db: Database
  find(id: string): Promise<Found | undefined>
  /** Waits until the job has ended. */
  ended(id: string, deadline?: number): Promise<Found>
  /** Waits until the job is in a state. */
  reached(id: string, state: StateName, deadline?: number): Promise<Found>
}

/**
 * One database for a file of tests, and stages in it. `tables` makes what its tests share: made by each of them, two that run at
 * the same time would meet (`create table if not exists` is no help against another session's uncommitted table).
 */
export function useStages(tables?: string): () => Promise<Stage> {
  let database: TestDatabase
  let count = 0
  beforeAll(async () => {
    database = await createDatabase()
    if (tables !== undefined) await runOnce(database.url, tables)
  })
  afterAll(() => database?.drop())
  return () => openStage(database.url, `stage${++count}`)
}

export async function runOnce(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(text)
  await client.end()
}

export async function openStage(database: string, schema: string): Promise<Stage> {
  const db = new Database({ url: database, schema, connections: 4 })
  await migrate(db, '0.0.0')
  const pool = new pg.Pool({ connectionString: database, max: 3 })
  pool.on('error', () => {})
  const closing: (() => Promise<unknown>)[] = []

  const sql: Stage['sql'] = async <Row>(text: string, values?: readonly unknown[]) =>
    (await pool.query(inSchema(text, schema), values as unknown[])).rows as Row[]

  const find = async (id: string): Promise<Found | undefined> => {
    const [row] = await sql<Omit<Found, 'state'> & { state: number }>(FIND, [id])
    return row && { ...row, state: stateName(row.state) }
  }
  const waitFor = async (
    id: string,
    what: string,
    deadline: number,
    isIt: (state: StateName) => boolean,
  ): Promise<Found> => {
    let found: Found | undefined
    await until(
      async () => {
        found = await find(id)
        return found !== undefined && isIt(found.state)
      },
      { deadline, what: () => `job ${id} is ${what}; it is ${JSON.stringify(found)}` },
    )
    return found as Found
  }

  return {
    database,
    schema,
    place: { database, schema },
    db,
    sql,
    find,
    holdfast: ((options) => {
      const jobs = holdfast({ database, schema, ...options })
      closing.push(() => within(jobs.close()))
      return jobs
    }) as typeof holdfast,
    async start(app, options = {}) {
      const log: LogLine[] = []
      const worker = await startWork(app, { log: (line) => log.push(line), ...options })
      closing.unshift(() => within(worker.shutdown({ mode: 'cold' })))
      const logged = async (words: string): Promise<LogLine> => {
        const line = () => log.find((each) => each.message.includes(words))
        await until(() => line() !== undefined, { what: () => `the worker says "${words}": ${JSON.stringify(log)}` })
        return line() as LogLine
      }
      return Object.assign(Object.create(worker) as RunningWorker, { log, logged })
    },
    ended: (id, deadline = 60_000) => waitFor(id, 'at its end', deadline, (state) => ENDS.has(state)),
    reached: (id, state, deadline = 60_000) => waitFor(id, state, deadline, (now) => now === state),
    async [Symbol.asyncDispose]() {
      for (const close of closing) await close()
      await Promise.all([db.close(), pool.end()])
    },
  }
}

/** A test that failed may have left code waiting for ever: it is not waited for. */
function within(work: Promise<unknown>): Promise<unknown> {
  return Promise.race([work, sleep(2_000, undefined, { ref: false })])
}

const ENDS: ReadonlySet<StateName> = new Set(['completed', 'failed', 'cancelled', 'expired', 'lost', 'interrupted'])

const FIND = `
select j.id, j.state, j.task, j.queue, j.run, j.failures, j.interruptions, j.losses, j.crashes, null::json as result, null::json as error,
  c.items::float8 as items, c.total::float8 as total, c.cursor
from :schema.job j left join :schema.checkpoint c on c.id = j.id where j.id = $1
union all
select w.id, w.state, w.task, w.queue, w.run, w.failures, w.interruptions, w.losses, w.crashes, null, null, c.items::float8, c.total::float8, c.cursor
from :schema.waiting w left join :schema.checkpoint c on c.id = w.id where w.id = $1
union all
select id, state, task, queue, run, failures, interruptions, losses, crashes, result, error, items::float8, total::float8, cursor
from :schema.history where id = $1`
