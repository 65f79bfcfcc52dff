import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect } from 'vitest'
import { Attempt } from '../../src/engine/attempt.ts'
import { keepLines } from '../../src/engine/last-lines.ts'
import { lineText, TAIL_BYTES, TAIL_LINES } from '../../src/engine/tail.ts'
import { Tails } from '../../src/engine/tails.ts'
import { array, range } from '../../src/sources.ts'
import { Database } from '../../src/store/db.ts'
import { type LogTail, saveTails, showTails } from '../../src/store/tails.ts'
import type { TaskDefinition } from '../../src/tasks/definition.ts'
import { blurt, talk, talkAlone, walkAlone } from '../fixtures/apps/talk.ts'
import { justBeforeKept, owedLines } from '../support/kept-lines.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { least, SLOW_MACHINE, until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess } from '../support/worker-process.ts'
import { deployOver, gate, test, upTo } from './support.ts'

const stages = useStages()

/** The next round comes two seconds after the first line. */
const ROUND_MS = 1_900

/** How long after the first one, in ms, the lines of two items were saved. */
async function keptAfter(stage: Stage, id: string): Promise<number> {
  const tail = async () => (await showTails(stage.db, id, 1))[0]
  await until(async () => (await tail())?.said === 2, { what: 'both lines are kept' })
  const { lines, savedAt } = (await tail()) as LogTail
  expect(lines.map(({ text }) => text)).toEqual(['item 0', 'item 1'])
  return savedAt.getTime() - (lines[0]?.at.getTime() ?? 0)
}

async function said(stage: Stage, id: string): Promise<string[]> {
  const tails = await showTails(stage.db, id, 20)
  return tails.flatMap(({ run, lines }) => lines.map(({ level, text }) => `${run} ${level} ${text}`))
}

test('lines that are saved while a transaction completes the job do not lock it out', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const other = new pg.Client({ connectionString: stage.database })
  await other.connect()
  await using _closed = { [Symbol.asyncDispose]: () => other.end() }
  const completes = jobs.task({
    name: 'completes',
    retry: false,
    async run(_, { log, complete, job }) {
      log.info('before')
      await complete(async () => {
        await other.query(`begin; select from ${stage.schema}.job where id = '${job.id}' for share`)
        return 'done'
      })
    },
  })
  await stage.start(jobs.app({ tasks: [completes] }))
  const { id } = await jobs.enqueue(completes)
  const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
  await until(async () => (await stage.sql(waiting)).length > 0, { what: 'the completion waits for the job' })
  // As the worker's own round does, once every two seconds.
  const lines = JSON.stringify([[1, 'info', 'later']])
  const saving = saveTails(stage.db, [{ id, run: 1, said: 9, lines }])
  expect(await Promise.race([saving, sleep(5_000, 'it waits', { ref: false })])).toEqual(new Set([id]))
  await other.query('commit')
  expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, result: 'done' })
})

test('what a run logs is in the database while it runs, and in the end all of it', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const door = gate()
  const speak = jobs.task({
    name: 'speak',
    async run(_, { log }) {
      log.info('first', { n: 1 })
      await door.pass()
      log.warn('last')
    },
  })
  await stage.start(jobs.app({ tasks: [speak] }))
  const { id } = await jobs.enqueue(speak)
  await door.reached
  await until(async () => (await said(stage, id)).length > 0, {
    deadline: 3_000 + SLOW_MACHINE,
    what: 'its line is kept',
  })
  expect(await said(stage, id)).toEqual(['1 info first {"n":1}'])
  door.open()
  await stage.ended(id)
  expect(await said(stage, id)).toEqual(['1 info first {"n":1}', '1 warn last'])
})

test('each way of ending keeps the last line, and each run its own', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const after = jobs.task({ name: 'after', run: () => {} })
  const enqueues = jobs.task({
    name: 'enqueues',
    run(_, { log, enqueue }) {
      enqueue(after)
      log.info('enqueued')
    },
  })
  const completes = jobs.task({
    name: 'completes',
    run: (_, { log, complete }) => complete(() => log.info('inside')),
  })
  const fails = jobs.task({
    name: 'fails',
    retry: { limit: 1, backoff: '1ms', jitter: 'none' },
    run(_, { log, job }) {
      log.error(`try ${job.failures}`)
      throw new Error('no')
    },
  })
  const parts = jobs.iteration({
    name: 'parts',
    partitions: 2,
    items: (_, { partition }) => array([partition.index]),
    each: (n, { log }) => log.info(`item ${n}`),
  })
  await stage.start(jobs.app({ tasks: [after, enqueues, completes, fails, parts] }))
  const ids = await Promise.all([enqueues, completes, fails, parts].map(async (task) => (await jobs.enqueue(task)).id))
  for (const id of ids) await stage.ended(id)
  const [one = '', two = '', three = '', four = ''] = ids
  expect(await said(stage, one)).toEqual(['1 info enqueued'])
  expect(await said(stage, two)).toEqual(['1 info inside'])
  expect(await said(stage, three)).toEqual(['1 error try 0', '2 error try 1'])
  // It may have to wait for the other part, and go on.
  expect((await said(stage, four))[0]).toBe('1 info item 0')
})

test('a checkpoint takes along what was said before it, without waiting for the next round', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  let door = gate()
  const walk = jobs.iteration({
    name: 'walk',
    items: () => range(0, 3),
    prepare: async (n) => {
      if (n === 2) await door.pass()
      return n
    },
    each: (n, { log }) => log.info(`item ${n}`),
  })
  const worker = await stage.start(jobs.app({ tasks: [walk] }))
  const kept = async () => {
    door = gate()
    const { id } = await jobs.enqueue(walk)
    await door.reached
    const ms = await keptAfter(stage, id)
    door.open()
    await stage.ended(id)
    return ms
  }
  expect(await least(ROUND_MS, kept)).toBeLessThan(ROUND_MS)
  await deployOver(worker)
})

test('runs that log nothing leave nothing, and ask nothing of the database', async () => {
  await using stage = await stages()
  const asked: string[] = []
  class Spy extends Database {
    override run<Row>(...args: Parameters<Database['run']>): Promise<Row[]> {
      asked.push(args[0])
      return super.run<Row>(...args)
    }
  }
  await using db = Object.assign(new Spy({ url: stage.database, schema: stage.schema, connections: 1 }), {
    [Symbol.asyncDispose]: () => db.close(),
  })
  const tails = new Tails({ db, onTrouble: () => {} })
  const attempt = anAttempt()
  tails.checkpointed(attempt)
  expect(tails.last(attempt)).toBeUndefined()
  await sleep(2_500)
  expect(asked).toEqual([])
  // The same with a line: the round does come.
  const talking = anAttempt()
  tails.note(talking, 'info', 'here', undefined)
  await until(() => asked.length > 0, { deadline: 3_000 + SLOW_MACHINE, what: 'it is written' })
  expect(asked[0]).toBe('save_tails')
  tails.last(talking)
  await tails.stop()
})

test('what is kept of a run is bounded, and is its end', () => {
  const tails = new Tails({ db: undefined as never, onTrouble: () => {} })
  for (const length of [1, 500, 100_000]) {
    const attempt = anAttempt()
    for (const n of upTo(1_000)) tails.note(attempt, 'info', `${n} ${'x'.repeat(length)}`, undefined)
    const { lines, said } = tails.last(attempt) ?? { lines: '[]', said: 0 }
    const kept = JSON.parse(lines) as [number, string, string][]
    expect(said).toBe(1_000)
    expect(kept.length).toBeLessThanOrEqual(TAIL_LINES)
    expect(Buffer.byteLength(lines)).toBeLessThanOrEqual(TAIL_BYTES + TAIL_LINES + 2)
    expect(kept.at(-1)?.[2]).toMatch(/^999 /)
  }
  return Promise.resolve()
})

test('a leaked timer that logs after the end of its run changes nothing', async () => {
  const tails = new Tails({ db: undefined as never, onTrouble: () => {} })
  const attempt = anAttempt()
  tails.note(attempt, 'info', 'in time', undefined)
  expect(tails.last(attempt)?.said).toBe(1)
  tails.note(attempt, 'info', 'too late', undefined)
  expect(tails.last(attempt)?.said).toBe(1)
  await tails.stop()
})

test('no line holds a secret, and none can fail its job', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const unreadable = {
    get boom() {
      throw new Error('no')
    },
  }
  const url = `postgres://u:${'s3cret'.repeat(400)}@h/d`
  expect(lineText(`at ${url}`, { password: 'a1', headers: { Authorization: 'b2' }, url: 'postgres://u:c3@h/d' })).toBe(
    'at postgres://u:***@h/d {"password":"***","headers":{"Authorization":"***"},"url":"postgres://u:***@h/d"}',
  )
  expect(lineText('n', { big: 10n, error: new TypeError('bad') })).toBe('n {"big":"10","error":"TypeError: bad"}')
  expect(lineText('c', cycle)).toBe('c {"self":"(seen above)"}')
  expect(lineText('u', unreadable)).toBe('u (unreadable)')
  expect(lineText('nul \0 \ud800', undefined)).toBe('nul  \ufffd')
  return Promise.resolve()
})

for (const task of [talk, talkAlone]) {
  test(`what a worker said until three seconds before it was killed is there: ${task.name}`, async () => {
    await using stage = await stages()
    using witness = createWitness()
    const place = { database: stage.database, schema: stage.schema, witness: witness.path }
    await using worker = await startWorkerProcess({ app: 'talk', ...place })
    const { id } = await stage.holdfast().enqueue(task)
    await justBeforeKept(stage.db, id)
    const killedAt = Date.now()
    worker.signal('SIGKILL')
    await worker.exit()
    const lines = await said(stage, id)
    const numbers = lines.map((line) => Number(/line (\d+)/.exec(line)?.[1]))
    expect(numbers).toEqual(upTo(numbers.length).map((n) => n + (numbers[0] ?? 0)))
    const owed = owedLines(
      witness.saw('said').map(({ at }) => at),
      killedAt,
    )
    expect(owed.length).toBeGreaterThan(0)
    expect(numbers.at(-1)).toBeGreaterThanOrEqual(owed.length - 1)
  })
}

test('a checkpoint of a run in a process of its own takes along what was said before it, too', async () => {
  await using stage = await stages()
  await using _worker = await startWorkerProcess({ app: 'talk', database: stage.database, schema: stage.schema })
  const jobs = stage.holdfast()
  const kept = async () => keptAfter(stage, (await jobs.enqueue(walkAlone)).id)
  expect(await least(ROUND_MS, kept)).toBeLessThan(ROUND_MS)
})

test('what a dying process wrote is believed no further than its types', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const door = gate()
  const hold = jobs.task({ name: 'hold', run: () => door.pass() })
  await stage.start(jobs.app({ tasks: [hold] }))
  const { id } = await jobs.enqueue(hold)
  await door.reached
  const tail = { kind: 'tail', id, run: 1, said: 1, lines: '[[1,"info","last"]]' }
  const bad = [
    { id: `${id}'` },
    { run: '1' },
    { said: 1.5 },
    { lines: '{}' },
    { lines: 'x' },
    { kind: 'other' },
    { id: [id] },
  ]
  const words = [...bad.map((change) => JSON.stringify({ ...tail, ...change })), '', '{', 'null', '1', '"tail"']
  await keepLines(stage.db, words)
  expect(await said(stage, id)).toEqual([])
  await keepLines(stage.db, [...words, JSON.stringify(tail)])
  expect(await said(stage, id)).toEqual(['1 info last'])
  door.open()
  await stage.ended(id)
})

for (const [what, HARD] of [
  ['a worker that is killed while its loop is blocked', '1m'],
  ['a worker that ends at a hard limit', '700ms'],
] as const) {
  test(`what was said before a loop that never gives way is there: ${what}`, async () => {
    await using stage = await stages()
    const place = { database: stage.database, schema: stage.schema, env: { HARD } }
    await using worker = await startWorkerProcess({ app: 'talk', ...place })
    const { id } = await stage.holdfast().enqueue(blurt)
    if (HARD === '1m') {
      await until(async () => (await said(stage, id)).length > 0, {
        deadline: 3_000 + SLOW_MACHINE,
        what: 'it is kept by then',
      })
      worker.signal('SIGKILL')
    }
    await worker.exit()
    expect(await said(stage, id)).toEqual(['1 info before the loop'])
  })
}

function anAttempt(): Attempt {
  const job = { id: '01990000-0000-7000-8000-000000000001', run: 1 }
  return new Attempt(job as never, { interrupt: 'finish' } as TaskDefinition, { worker: 1 } as never)
}
