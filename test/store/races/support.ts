import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { type Claimed, claim } from '../../../src/store/claims.ts'
import { Database, type QueryAnswer } from '../../../src/store/db.ts'
import { enqueue, type NewJob } from '../../../src/store/enqueue.ts'
import { registerWorker } from '../../../src/store/workers.ts'
import type { Stage } from '../../support/stage.ts'
import { until } from '../../support/until.ts'

/** One connection of its own: what runs in it can be held open, blocked, committed, rolled back. */
export class Session extends Database {
  readonly client: pg.Client
  readonly pid: number

  constructor(stage: Stage, client: pg.Client, pid: number) {
    super({ url: stage.database, schema: stage.schema, connections: 1 })
    this.client = client
    this.pid = pid
  }

  override async query(text: string, values?: readonly unknown[]): Promise<QueryAnswer> {
    return this.client.query(text, values as unknown[])
  }

  begin = () => this.client.query('begin')
  commit = () => this.client.query('commit')
  rollback = () => this.client.query('rollback')
}

/** Closed when the test ends, whatever it was doing. */
export async function openSession(stage: Stage): Promise<Session> {
  const client = new pg.Client({ connectionString: stage.database })
  client.on('error', () => {})
  onTestFinished(() => client.end())
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return new Session(stage, client, (rows[0] as { pid: number }).pid)
}

/** Waits until a session stands at a lock that `by` holds: a wait that was never reached proves nothing. */
export async function waitsFor(stage: Stage, session: Session, by: Session): Promise<void> {
  await until(
    async () => {
      const [row] = await stage.sql<{ pids: number[] }>('select pg_blocking_pids($1) as pids', [session.pid])
      return row?.pids.includes(by.pid) === true
    },
    { deadline: 10_000, what: `session ${session.pid} waits for ${by.pid}` },
  )
}

export async function addJob(db: Database, job: Partial<NewJob> = {}): Promise<string> {
  const id = randomUUID()
  const all = { id, queue: 'q', task: 't', version: 1, priority: 5, input: null, expires: null, after: null, ...job }
  await enqueue(db, [all], null)
  return id
}

export async function addJobs(db: Database, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let made = 0; made < count; made++) ids.push(await addJob(db))
  return ids
}

export async function addWorker(db: Database, lease = 60_000): Promise<number> {
  return registerWorker(db, { name: 'w', build: 'b', release: '0', tasks: ['t'], queues: ['q'], manifest: {}, lease })
}

export function claimUpTo(db: Database, worker: number, number: number, most: number, mark = 0): Promise<Claimed[]> {
  const bands = [0, 1].map((lane) => ({ lane, priority: 5, mark: lane === 0 ? 0 : mark, most }))
  return claim(db, { worker, claim: number, queue: 'q', tasks: '{t}', most, bands })
}

export async function stateOf(stage: Stage, id: string): Promise<string | undefined> {
  return (await stage.find(id))?.state
}
