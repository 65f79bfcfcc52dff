import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { StatementName } from '../../src/store/statements.ts'
import { test } from '../engine/support.ts'
import { ITEMS, pointsApp } from '../fixtures/apps/points.ts'
import { openProxy } from '../support/proxy.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { spawnWorkerProcess, startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'

const stages = useStages('create table effect (job uuid, item int)')

interface End {
  readonly state?: string
  readonly run: number
  readonly failures?: number
  readonly losses?: number
  readonly interruptions?: number
  /** How often its code began. Of an iteration: not counted. */
  readonly begins?: number
}

/** A statement at which a worker is frozen until others have taken its job, and what becomes of that job. */
interface Point {
  readonly statement: StatementName
  readonly task: keyof ReturnType<typeof pointsApp>['tasks']
  /** The statement never got there. */
  readonly message: End
  /** It did, and the worker does not know. */
  readonly answer: End
  /** The task's effects in the database: each exactly once. */
  readonly effects?: number
  readonly signal?: 'SIGTERM'
}

const ITERATION = { run: 2, losses: 1 }
const POINTS: readonly Point[] = [
  { statement: 'claim', task: 'plain', message: { run: 1, begins: 1 }, answer: { run: 2, losses: 1, begins: 1 } },
  { statement: 'claim', task: 'once', message: { run: 1, begins: 1 }, answer: { run: 2, losses: 1, begins: 1 } },
  {
    statement: 'start',
    task: 'once',
    message: { run: 2, losses: 1, begins: 1 },
    // Its start is on record, so nothing starts it: not another worker, and not the one that wakes up too late.
    answer: { state: 'lost', run: 1, losses: 1, begins: 0 },
  },
  { statement: 'complete', task: 'plain', message: { run: 2, losses: 1, begins: 2 }, answer: { run: 1, begins: 1 } },
  {
    statement: 'finish',
    task: 'once',
    message: { state: 'lost', run: 1, losses: 1, begins: 1 },
    answer: { run: 1, begins: 1 },
  },
  {
    statement: 'finish',
    task: 'fails',
    message: { state: 'failed', run: 2, losses: 1, failures: 1, begins: 2 },
    answer: { state: 'failed', run: 1, failures: 1, begins: 1 },
  },
  {
    statement: 'delay',
    task: 'retries',
    message: { run: 3, losses: 1, failures: 1, begins: 3 },
    answer: { run: 2, failures: 1, begins: 2 },
  },
  {
    statement: 'finish_tx',
    task: 'pays',
    message: { run: 2, losses: 1, begins: 2 },
    // Its COMMIT was not sent.
    answer: { run: 2, losses: 1, begins: 2 },
    effects: 1,
  },
  {
    // In the transaction of its end, which holds its row until the server ends it.
    statement: 'enqueue',
    task: 'enqueues',
    message: { run: 2, losses: 1, begins: 2 },
    answer: { run: 2, losses: 1, begins: 2 },
  },
  { statement: 'save_checkpoint_tx', task: 'carries', message: ITERATION, answer: ITERATION, effects: ITEMS },
  { statement: 'save_checkpoint', task: 'walks', message: ITERATION, answer: ITERATION },
  // Of the job that was enqueued and is part 0 now: that its parts exist once is its effects' count.
  { statement: 'fan_out', task: 'parts', message: ITERATION, answer: ITERATION, effects: ITEMS },
  // In the transaction of a part's end, which holds the others up.
  { statement: 'finish_part', task: 'parts', message: ITERATION, answer: ITERATION, effects: ITEMS },
  {
    statement: 'save_tails',
    task: 'says',
    message: { run: 2, losses: 1, begins: 2 },
    answer: { run: 2, losses: 1, begins: 2 },
  },
  {
    statement: 'renew',
    task: 'stays',
    message: { run: 2, losses: 1, begins: 2 },
    answer: { run: 2, losses: 1, begins: 2 },
  },
  {
    statement: 'hand_back',
    task: 'stays',
    signal: 'SIGTERM',
    message: { run: 2, losses: 1, begins: 2 },
    answer: { run: 2, interruptions: 1, begins: 2 },
  },
]

for (const side of ['message', 'answer'] as const) {
  const when = side === 'message' ? 'before it arrives' : 'after it was done'
  test(`a worker frozen at each of its writes, ${when}, for longer than its lease: others go on, and when it wakes up it changes nothing`, async () => {
    await using yard = await openYard()
    for (const point of POINTS) await yard.freezeAt(point, side)
    expect(await yard.successors(), 'what a run enqueued is there once').toBe(1)
    expect(await yard.worker.exit(), 'the last one was a stop signal').toMatchObject({ code: 0 })
  })
}

for (const side of ['message', 'answer'] as const) {
  test(`a worker frozen while it registers (${side}) is nobody: when it wakes up it begins anew, and works`, async () => {
    const stage = await stages()
    const witness = createWitness()
    const proxy = await openProxy(stage.database)
    const held = proxy.hold(stage.db.statements.register_worker, side)
    const place = { app: 'points', database: proxy.url, schema: stage.schema, witness: witness.path }
    await using worker = spawnWorkerProcess(place)
    const release = await held
    worker.signal('SIGSTOP')
    const { jobs, tasks } = pointsApp(stage.place, witness.write)
    const { id } = await jobs.enqueue(tasks.plain)
    // Longer than the server keeps a transaction of a process that stands still.
    const open = `select from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()`
    await until(async () => (await stage.sql(open)).length === 0, { what: 'its transaction is over' })
    expect(await stage.sql('select from :schema.worker where alive')).toEqual([])
    release()
    worker.signal('SIGCONT')
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', run: 1, losses: 0 })
    await jobs.close()
    await proxy.close()
    witness[Symbol.dispose]()
    await stage[Symbol.asyncDispose]()
  })
}

async function openYard() {
  const stage = await stages()
  const witness = createWitness()
  const proxy = await openProxy(stage.database)
  const place = { app: 'points', database: proxy.url, schema: stage.schema, witness: witness.path }
  const worker = await startWorkerProcess(place)
  const { jobs, tasks, app } = pointsApp(stage.place, witness.write)
  const begins = (id: string) => witness.saw('begin').filter((sighting) => sighting['id'] === id).length

  /** A job of the point; its worker stands still at the statement. */
  const freeze = async (point: Point, side: 'message' | 'answer') => {
    const { statement, task, signal } = point
    for (;;) {
      const held = proxy.hold(stage.db.statements[statement], side)
      const { id } = await jobs.enqueue(tasks[task] as typeof tasks.plain)
      if (signal !== undefined) {
        await until(() => begins(id) > 0, { what: `${task} has begun` })
        worker.signal(signal)
      }
      const late = sleep(20_000, undefined, { ref: false }).then(() =>
        expect.fail(`${statement} of ${task} is not sent`),
      )
      const release = await Promise.race([held, late])
      const state = (await stage.find(id))?.state
      // Workers claim all the time: the one that counts has taken this job, or is about to.
      if (statement !== 'claim' || state === (side === 'message' ? 'ready' : 'running')) {
        worker.signal('SIGSTOP')
        return { id, release }
      }
      release()
      await stage.ended(id)
    }
  }

  const snapshot = async (id: string) => ({
    job: await stage.find(id),
    rows: await stage.sql('select * from :schema.history where id = $1', [id]),
    effects: await stage.sql('select item from effect where job = $1 order by item', [id]),
    begins: begins(id),
  })

  return {
    worker,
    successors: async () =>
      (
        await stage.sql(
          "select from :schema.job where task = 'successor' union all select from :schema.history where task = 'successor'",
        )
      ).length,
    async freezeAt(point: Point, side: 'message' | 'answer') {
      const what = `${point.statement} of ${point.task}`
      const key = await aliveKey(stage)
      const { id, release } = await freeze(point, side)
      const heir = await stage.start(app)
      await until(async () => !(await isAlive(stage, key)), { what: `${what}: its lease has run out` })
      await stage.ended(id)
      const before = await snapshot(id)
      const { begins: began, ...end } = { state: 'completed', failures: 0, losses: 0, interruptions: 0, ...point[side] }
      expect(before.job, what).toMatchObject(end)
      if (began !== undefined) expect(before.begins, `${what}: begins`).toBe(began)
      if (point.effects !== undefined) expect(before.effects, what).toHaveLength(point.effects)
      await heir.shutdown({ mode: 'cold' })

      const incarnations = countOf(worker, 'goes on as a new incarnation')
      release()
      worker.signal('SIGCONT')
      if (point.signal === undefined) {
        await until(() => countOf(worker, 'goes on as a new incarnation') > incarnations, { what: `${what}: woken up` })
        const { id: next } = await jobs.enqueue(tasks.plain)
        expect(await stage.ended(next), `${what}: it works again`).toMatchObject({ state: 'completed', run: 1 })
      } else await worker.exit()
      expect(await snapshot(id), `${what}: woken up, it changed nothing`).toEqual(before)
    },
    async [Symbol.asyncDispose]() {
      worker.signal('SIGCONT')
      await worker[Symbol.asyncDispose]()
      await jobs.close()
      await proxy.close()
      witness[Symbol.dispose]()
      await stage[Symbol.asyncDispose]()
    },
  }
}

function countOf(worker: WorkerProcess, words: string): number {
  return worker.log.filter((line) => line.msg.includes(words)).length
}

async function aliveKey(stage: Stage): Promise<number> {
  const keys = await stage.sql<{ key: number }>('select key from :schema.worker where alive')
  expect(keys, 'one worker is alive').toHaveLength(1)
  return keys[0]?.key as number
}

async function isAlive(stage: Stage, key: number): Promise<boolean> {
  return (await stage.sql('select from :schema.worker where alive and key = $1', [key])).length > 0
}
