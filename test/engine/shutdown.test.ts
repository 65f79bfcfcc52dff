import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { cut, deaf, once, short, walk } from '../fixtures/apps/drain.ts'
import { holdLock, untilBlocked } from '../support/lock.ts'
import { useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { createWitness, type Sighting } from '../support/witness.ts'
import { spawnWorkerProcess, startWorkerProcess, type WorkerSettings } from '../support/worker-process.ts'
import { test, upTo } from './support.ts'

const stages = useStages('create table walked (job uuid, n int)')

/** A stage with workers, through the command line as in production. */
async function openYard() {
  const stage = await stages()
  const witness = createWitness()
  const settings = (env: Record<string, string>): WorkerSettings => ({
    entry: 'cli',
    app: 'drain',
    database: stage.database,
    schema: stage.schema,
    witness: witness.path,
    env,
  })
  const seen = (what: string, task?: string): Sighting[] =>
    witness.saw(what).filter((sighting) => task === undefined || sighting['task'] === task)
  return {
    stage,
    jobs: stage.holdfast({ queues: { elsewhere: {} } }),
    seen,
    worker: (env: Record<string, string> = {}, queues?: readonly string[]) =>
      startWorkerProcess({ ...settings(env), ...(queues && { queues }) }),
    spawn: (env: Record<string, string> = {}) => spawnWorkerProcess(settings(env)),
    begun: (task: string, count = 1) =>
      until(() => seen('begin', task).length >= count, { what: `${count} runs of ${task} have begun` }),
    walked: (id: string) =>
      stage
        .sql<{ n: number }>('select n from walked where job = $1 order by n', [id])
        .then((rows) => rows.map(({ n }) => n)),
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]()
      witness[Symbol.dispose]()
    },
  }
}

test('a stop signal lets the item in work finish, and gives the job back with its cursor', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(walk, { items: 8, ms: 200 })
  await yard.begun('walk', 3)
  worker.signal('SIGTERM')
  expect(await worker.exit()).toMatchObject({ code: 0 })
  const done = yard.seen('end', 'walk').length
  expect(done).toBe(yard.seen('begin', 'walk').length)
  expect(await yard.stage.find(id)).toMatchObject({ state: 'ready', items: done, interruptions: 1, failures: 0 })
  expect(await yard.walked(id)).toEqual(upTo(done))
  await using _heir = await yard.worker({ ITEM_MS: '1' })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', run: 2, failures: 0, losses: 0 })
  expect(await yard.walked(id)).toEqual(upTo(8))
})

test('a task that may restart is cut and handed off at once, without a retry; one that must finish ends first', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const long = await yard.jobs.enqueue(cut, { ms: 60_000 })
  await yard.begun('cut')
  await using _heir = await yard.worker({}, ['default'])
  const must = await yard.jobs.enqueue(short, { ms: 4_000 }, { queue: 'elsewhere' })
  await yard.begun('short')
  worker.signal('SIGTERM')
  // On the heir while the other still runs here.
  await yard.begun('cut', 2)
  expect(yard.seen('aborted', 'cut')).toMatchObject([{ id: long.id, reason: 'deploy' }])
  expect(worker.ended).toBeUndefined()
  expect(yard.seen('end', 'short')).toEqual([])
  const late = await yard.jobs.enqueue(cut, { ms: 1 })
  await yard.stage.ended(late.id) // claimed by the heir alone
  expect(await worker.exit()).toMatchObject({ code: 0 })
  expect(await yard.stage.find(must.id)).toMatchObject({ state: 'completed', run: 1, interruptions: 0 })
  expect(yard.seen('end', 'short')).toMatchObject([{ aborted: false, pid: worker.pid }])
  expect(await yard.stage.find(long.id)).toMatchObject({
    state: 'running',
    run: 2,
    interruptions: 1,
    failures: 0,
    losses: 0,
  })
})

test('the second and third signal change nothing, and SIGINT means the same', async () => {
  await using yard = await openYard()
  for (const signals of [
    ['SIGTERM', 'SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGTERM', 'SIGINT'],
  ] as const) {
    await using worker = await yard.worker()
    const begun = yard.seen('begin', 'short').length
    const { id } = await yard.jobs.enqueue(short, { ms: 1_200 })
    await yard.begun('short', begun + 1)
    for (const signal of signals) {
      worker.signal(signal)
      await sleep(150)
    }
    expect(await worker.exit()).toMatchObject({ code: 0, signal: null })
    expect(await yard.stage.find(id)).toMatchObject({ state: 'completed', run: 1 })
    expect(worker.log.filter((line) => line.msg.includes('again'))).toHaveLength(2)
  }
})

test('each stop signal has the mode that the app gives it', async () => {
  await using yard = await openYard()
  for (const [signal, aborted] of [
    ['SIGTERM', false],
    ['SIGINT', true],
  ] as const) {
    await using worker = await yard.worker({ STOP_SIGNALS: '{ "SIGINT": "cold" }' })
    const { id } = await yard.jobs.enqueue(short, { ms: 1_500 })
    await until(() => yard.seen('begin', 'short').some((sighting) => sighting['id'] === id), { what: 'it has begun' })
    worker.signal(signal)
    expect(await worker.exit()).toMatchObject({ code: 0 })
    expect(yard.seen('end', 'short').at(-1)).toMatchObject({ id, aborted })
  }
})

test('code that ignores its signal: the process leaves in time, and its lease with it', async () => {
  await using yard = await openYard()
  // The default lease of 12 s would make the others wait that long.
  await using worker = await yard.worker({ GRACE: '3s' })
  const { id } = await yard.jobs.enqueue(deaf)
  await yard.begun('deaf')
  await using heir = await yard.worker()
  const { id: other } = await yard.jobs.enqueue(cut, { ms: 10 })
  await yard.stage.ended(other)
  worker.signal('SIGTERM')
  const exit = await worker.exit()
  expect(exit).toMatchObject({ code: 0 })
  expect(exit.ms).toBeLessThan(3_000 + SLOW_MACHINE)
  const left = performance.now()
  await yard.begun('deaf', 2)
  const taken = performance.now() - left
  expect(yard.seen('begin', 'deaf').map(({ pid }) => pid)).toEqual([worker.pid, heir.pid])
  expect(taken).toBeLessThan(2_000 + SLOW_MACHINE)
  expect(await yard.stage.ended(id)).toMatchObject({
    state: 'completed',
    run: 2,
    interruptions: 1,
    losses: 0,
    failures: 0,
  })
})

const GRACES = ['0s', '1s', '5s', '30s'] as const
for (const grace of GRACES) {
  test(`with a grace of ${grace}, everything is let go in time and nothing is lost`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker({ GRACE: grace, LEASE: '2s' })
    const ids = [
      await yard.jobs.enqueue(walk, { items: 5, ms: 200 }),
      await yard.jobs.enqueue(cut, { ms: 1_000 }),
      await yard.jobs.enqueue(short, { ms: 400 }),
    ]
    const single = await yard.jobs.enqueue(once, { ms: 60_000 })
    for (const task of ['walk', 'cut', 'short', 'once']) await yard.begun(task)
    worker.signal('SIGTERM')
    const exit = await worker.exit()
    expect(exit).toMatchObject({ code: 0, signal: null })
    // With nothing left, it still takes half a second to let go.
    expect(exit.ms).toBeLessThan(Number.parseInt(grace, 10) * 1_000 + SLOW_MACHINE)
    await using _heir = await yard.worker({ ITEM_MS: '1', LEASE: '2s' })
    for (const { id } of ids) expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 0 })
    expect(await yard.walked(ids[0]?.id ?? '')).toEqual(upTo(5))
    // What may start only once is over, and was never started again.
    expect((await yard.stage.ended(single.id)).state).toMatch(/^(interrupted|lost)$/)
    expect(yard.seen('begin', 'once')).toHaveLength(1)
  })
}

test("mode 'finish': everything runs on, and what is not done at the end of the budget is handed off", async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ GRACE: '6s', STOP_MODE: 'finish' })
  const quick = await yard.jobs.enqueue(cut, { ms: 1_000 })
  const slow = await yard.jobs.enqueue(cut, { ms: 60_000 })
  await yard.begun('cut', 2)
  worker.signal('SIGTERM')
  const exit = await worker.exit()
  expect(exit).toMatchObject({ code: 0 })
  expect(exit.ms).toBeGreaterThan(2_000)
  expect(exit.ms).toBeLessThan(6_000 + SLOW_MACHINE)
  expect(await yard.stage.find(quick.id)).toMatchObject({ state: 'completed', run: 1, interruptions: 0 })
  expect(await yard.stage.find(slow.id)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0 })
})

test("mode 'cold': everything is told to stop at once", async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ STOP_MODE: 'cold' })
  const slow = await yard.jobs.enqueue(cut, { ms: 60_000 })
  const single = await yard.jobs.enqueue(once, { ms: 60_000 })
  const must = await yard.jobs.enqueue(short, { ms: 1_000 })
  for (const task of ['cut', 'once', 'short']) await yard.begun(task)
  worker.signal('SIGTERM')
  expect(await worker.exit()).toMatchObject({ code: 0 })
  expect(await yard.stage.find(slow.id)).toMatchObject({ state: 'ready', interruptions: 1 })
  expect(await yard.stage.find(single.id)).toMatchObject({ state: 'interrupted', run: 1 })
  // It heard the signal too, and ended well all the same.
  expect(yard.seen('end', 'short')).toMatchObject([{ aborted: true }])
  expect(await yard.stage.find(must.id)).toMatchObject({ state: 'completed' })
})

test('a signal at any moment of the start: it leaves with 0, or had not begun, and holds nothing', async () => {
  await using yard = await openYard()
  const ids = []
  for (let n = 0; n < 5; n++) ids.push(await yard.jobs.enqueue(cut, { ms: 200 }))
  await using probe = yard.spawn()
  const began = performance.now()
  await probe.logged('Worker started')
  const takes = performance.now() - began
  probe.signal('SIGTERM')
  expect(await probe.exit()).toMatchObject({ code: 0 })
  const codes: (number | null)[] = []
  for (let step = 1; step <= 6; step++) {
    await using worker = yard.spawn()
    await sleep((takes * step) / 6)
    worker.signal('SIGTERM')
    const { code, signal } = await worker.exit()
    // Before node has run the first line, the signal is the system's: nothing was begun.
    expect([code, signal], `${step}/6 of the start`).toEqual(signal === null ? [0, null] : [null, 'SIGTERM'])
    if (signal !== null) expect(worker.log).toEqual([])
    expect(worker.noise).toEqual([])
    codes.push(code)
  }
  expect(codes, 'INVALID: every signal came before there was anybody to hear it').toContain(0)
  expect(await yard.stage.sql('select worker from :schema.ledger')).toEqual([])
  await using _heir = await yard.worker()
  for (const { id } of ids)
    expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, losses: 0 })
})

test('a claim in flight at the signal lands and is given back, as if it had never been', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  await using lock = await holdLock(yard.stage, 'update :schema.worker set name = name where key = $1', [worker.key])
  const ids = [await yard.jobs.enqueue(cut, { ms: 10 }), await yard.jobs.enqueue(once, { ms: 10 })]
  await untilBlocked(yard.stage)
  worker.signal('SIGTERM')
  await sleep(300)
  expect(worker.ended).toBeUndefined()
  await lock.release()
  expect(await worker.exit()).toMatchObject({ code: 0 })
  for (const { id } of ids)
    expect(await yard.stage.find(id)).toMatchObject({ state: 'ready', interruptions: 0, losses: 0 })
  expect(yard.seen('begin')).toEqual([])
  expect(await yard.stage.sql('select worker from :schema.ledger')).toEqual([])
  await using _heir = await yard.worker()
  for (const { id } of ids) expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed' })
})

test('a claim that lands when its process is gone is released by others', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ GRACE: '2s', LEASE: '2s' })
  await using lock = await holdLock(yard.stage, 'update :schema.worker set name = name where key = $1', [worker.key])
  const { id } = await yard.jobs.enqueue(cut, { ms: 10 })
  await untilBlocked(yard.stage)
  worker.signal('SIGTERM')
  const exit = await worker.exit()
  expect(exit).toMatchObject({ code: 0 })
  expect(exit.ms).toBeLessThan(2_000 + SLOW_MACHINE)
  await lock.release()
  await using _heir = await yard.worker({ LEASE: '2s' })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 0 })
})

test('a settle in flight at the signal is waited for', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(short, { ms: 500 })
  await yard.begun('short')
  await using lock = await holdLock(yard.stage, 'select from :schema.job where id = $1 for update', [id])
  await untilBlocked(yard.stage)
  worker.signal('SIGTERM')
  await sleep(300)
  expect(worker.ended).toBeUndefined()
  await lock.release()
  expect(await worker.exit()).toMatchObject({ code: 0 })
  expect(await yard.stage.find(id)).toMatchObject({ state: 'completed', run: 1 })
})
