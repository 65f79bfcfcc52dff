import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'vitest'
import { pauseJob } from '../../src/store/operations.ts'
import { revokeWorker } from '../../src/store/workers.ts'
import {
  bystander,
  inProcess,
  inProcessRoomy,
  inProcessShort,
  inThread,
  inThreadRoomy,
  march,
  once,
  pays,
  polite,
  recycled,
  says,
  stalls,
  stuck,
  walk,
} from '../fixtures/apps/isolated.ts'
import { isRunning } from '../support/processes.ts'
import { useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { createWitness, type Sighting } from '../support/witness.ts'
import { startWorkerProcess } from '../support/worker-process.ts'
import { test, upTo } from './support.ts'

const stages = useStages('create table payment (n int)')

async function openYard() {
  const stage = await stages()
  const witness = createWitness()
  return {
    stage,
    jobs: stage.holdfast({ queues: { away: {}, here: {} } }),
    worker: (env: Record<string, string> = {}) =>
      startWorkerProcess({
        app: 'isolated',
        database: stage.database,
        schema: stage.schema,
        witness: witness.path,
        env,
      }),
    /** The last lines of a job's first run, as the database has them. */
    tail: async (id: string) => {
      const [row] = await stage.sql<{ lines: [number, string, string][] }>(
        'select lines from :schema.tail where job = $1 and run = 1',
        [id],
      )
      return row?.lines.map(([, , text]) => text)
    },
    seen: (what: string): Sighting[] => witness.saw(what),
    saw: async (what: string, count = 1): Promise<Sighting> => {
      await until(() => witness.saw(what).length >= count, { what: `${what}, ${count} times` })
      return witness.saw(what).at(count - 1) as Sighting
    },
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]()
      witness[Symbol.dispose]()
    },
  }
}

const gone = (pid: unknown) =>
  until(() => !isRunning(Number(pid)), { deadline: 10_000, what: `process ${String(pid)} is gone` })

/** What a deed that ends a run the first time leaves behind; `failure`: the code or message of the failure that it counts as. */
const DEEDS = [
  { deed: 'loop', failure: /HF_HARD_LIMIT/ },
  { deed: 'wait for ever', failure: /HF_HARD_LIMIT/ },
  { deed: 'obey the signal', failure: /HF_TIME_LIMIT/ },
  { deed: 'throw in a timer', failure: /thrown from a timer/ },
  { deed: 'reject unheard', failure: /nobody listens/ },
  { deed: 'process.exit', death: /exited with code 3/ },
  { deed: 'fill the heap', death: /its heap was full/ },
  // From beside, SIGKILL always looks like somebody else's.
  { deed: 'kill itself', death: /^Job interrupted: its process died: killed by SIGKILL/, inThread: false, kill: true },
  { deed: 'segmentation fault', death: /killed by SIGSEGV/, inThread: false },
  { deed: 'remove signal handlers', death: /killed by SIGTERM/, inThread: false },
  { deed: 'disconnect', death: /^Job crashed.*its code closed the channel to its worker/, inThread: false },
]

for (const [place, task, roomy] of [
  ['process', inProcess, inProcessRoomy],
  ['thread', inThread, inThreadRoomy],
] as const) {
  const deeds = DEEDS.filter(({ inThread: can }) => place === 'process' || can !== false)
  test(`whatever a run does to its ${place}, it alone ends, and the job goes on`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker()
    const innocent = await yard.jobs.enqueue(bystander, { ms: 12_000 })
    await yard.saw('bystander')
    for (const { deed, failure, death, kill } of deeds) {
      // Only those that are to meet a limit have a short one.
      const { id } = await yard.jobs.enqueue(failure === undefined ? roomy : task, { deed, once: true })
      const found = await yard.stage.ended(id)
      expect([deed, found]).toMatchObject([
        deed,
        { state: 'completed', run: 2, failures: failure ? 1 : 0, interruptions: kill ? 1 : 0, losses: 0 },
      ])
      const said = worker.log.filter((line) => line['job'] === id && /^Job (failed|crashed|interrupted)/.test(line.msg))
      expect([deed, said.map(({ msg }) => msg)]).toEqual([deed, [expect.stringMatching(failure ?? death ?? /never/)]])
    }
    expect(await yard.stage.ended(innocent.id)).toMatchObject({ state: 'completed', run: 1 })
  })
}

test('code stopped at its hard limit goes with all that it started', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(inProcess, { deed: 'spawn a child and loop', once: true })
  const { pid } = await yard.saw('begins')
  const { child } = await yard.saw('spawned')
  await yard.stage.ended(id)
  await gone(pid)
  await gone(child)
})

test('a cell runs one job after the other, and is replaced after as many as its task says', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker({ CONCURRENCY: '1' })
  const pids: number[] = []
  for (let n = 0; n < 7; n++) {
    const { result } = await yard.stage.ended((await yard.jobs.enqueue(recycled)).id)
    pids.push((result as { pid: number }).pid)
  }
  const runs = Map.groupBy(pids, (pid) => pid)
  // A spare one may take a turn in between.
  expect(Math.max(...[...runs.values()].map(({ length }) => length))).toBe(3)
  for (const [pid, { length }] of runs) if (length === 3) await gone(pid)
})

test('what a run logs, prints, reports and enqueues crosses to its worker', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(says)
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', result: { said: true } })
  expect(await worker.logged('from inside')).toMatchObject({ level: 'info', job: id, task: 'says', run: 1, n: 1 })
  expect(await worker.logged('cyclic')).toMatchObject({ level: 'warn', job: id })
  await yard.saw('bystander')
  // Its completion has committed in its process, with what it enqueued: so have its last lines.
  expect(await yard.tail(id)).toEqual(['from inside {"n":1}', expect.stringMatching(/^cyclic/)])
  for (const task of [inProcess, inThread]) {
    const printed = await yard.jobs.enqueue(task, { deed: 'print' })
    await yard.stage.ended(printed.id)
    const lines = worker.log
      .filter((line) => line['job'] === printed.id)
      .map((line) => `${String(line['stream'])}: ${line.msg}`)
    expect(lines.sort((one, other) => one.localeCompare(other))).toEqual([
      'stderr: to the errors',
      'stdout: to the output',
      'stdout: without a line end',
    ])
    expect(await yard.tail(printed.id)).toHaveLength(3)
  }
})

test('writes in the transactions of a run commit with it, and not a second time when its process dies', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const paid = await yard.jobs.enqueue(pays, { order: 4711 })
  expect(await yard.stage.ended(paid.id)).toMatchObject({ state: 'completed', run: 1 })
  const walked = await yard.jobs.enqueue(march)
  expect(await yard.stage.ended(walked.id)).toMatchObject({ state: 'completed', run: 2, items: 30, failures: 0 })
  const rows = await yard.stage.sql<{ n: number }>('select n from payment order by n')
  expect(rows.map(({ n }) => n)).toEqual([...upTo(30), 4711])
  expect(await worker.logged('Job crashed')).toMatchObject({ job: walked.id, level: 'error' })
})

test('a stop signal that reaches the process of a run, too, is no crash of its job, whatever the app does at it', async () => {
  await using yard = await openYard()
  const { id } = await yard.jobs.enqueue(inProcessShort, { deed: 'exit by the stop signal' })
  // Alone, a crash would be proof of its guilt.
  await yard.stage.sql('update :schema.job set crashes = 2')
  await using worker = await yard.worker()
  const { pid } = await yard.saw('ready to leave')
  worker.signal('SIGTERM')
  process.kill(Number(pid), 'SIGTERM')
  expect(await worker.exit(30_000)).toMatchObject({ code: 0 })
  expect(await yard.stage.find(id)).toMatchObject({ state: 'ready', interruptions: 1, crashes: 2, failures: 0 })
})

test('at-most-once code whose process died is not started again', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(once, { deed: 'segmentation fault' })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'failed', run: 1, error: { code: 'HF_CRASHED' } })
  expect(yard.seen('begins')).toHaveLength(1)
})

test('a stop signal hands an isolated iteration off at its next item, and leaves no process', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(walk)
  const { pid } = await yard.saw('step', 3)
  worker.signal('SIGTERM')
  expect(await worker.exit(20_000)).toMatchObject({ code: 0 })
  const found = await yard.stage.find(id)
  expect(found).toMatchObject({ state: 'ready', interruptions: 1, failures: 0 })
  expect(found?.items).toBeGreaterThan(20)
  await gone(pid)
})

test('at the end of the budget, what would not end is killed and then given back', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ GRACE: '15s' })
  const { id } = await yard.jobs.enqueue(stuck)
  const { pid, child } = await yard.saw('stuck')
  worker.signal('SIGTERM')
  const { code, ms } = await worker.exit()
  expect(code).toBe(0)
  expect(ms).toBeLessThan(15_000 + SLOW_MACHINE)
  expect(await worker.logged('left')).toMatchObject({ left: 0, handedOff: 1 })
  expect(await yard.stage.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1, failures: 0 })
  await gone(pid)
  await gone(child)
})

test('a worker that is killed takes its isolated processes along, whatever they do, with all that they started', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  await yard.jobs.enqueue(stuck)
  const { pid, child } = await yard.saw('stuck')
  expect([isRunning(Number(pid)), isRunning(Number(child))]).toEqual([true, true])
  worker.signal('SIGKILL')
  await gone(pid)
  await gone(child)
})

test('a cancelled run that does not listen is killed', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(stuck)
  const { pid, child } = await yard.saw('stuck')
  expect(await yard.jobs.cancel(id)).toEqual({ cancelled: 1 })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'cancelled', run: 1, failures: 0 })
  await gone(pid)
  await gone(child)
  expect(worker.ended).toBeUndefined()
})

test('a worker that loses its lease kills what it runs elsewhere', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  await yard.jobs.enqueue(stuck)
  const { pid, child } = await yard.saw('stuck')
  expect(await revokeWorker(yard.stage.db, worker.key, true)).toBe(true)
  await gone(pid)
  await gone(child)
  await worker.logged('goes on as a new incarnation')
})

test('requests of people reach a run in its process: a pause at its next item, a cancel at once', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker()
  const paused = await yard.jobs.enqueue(walk)
  const cancelled = await yard.jobs.enqueue(walk)
  for (const { id } of [paused, cancelled]) {
    await until(() => yard.seen('step').filter(({ job }) => job === id).length > 3, { what: `${id} is on its way` })
  }
  await yard.jobs.cancel(cancelled.id)
  expect(await yard.stage.ended(cancelled.id)).toMatchObject({ state: 'cancelled', failures: 0 })
  await pauseJob(yard.stage.db, paused.id, { reason: 'a look', owner: 'test' }, 3_600_000)
  const found = await yard.stage.reached(paused.id, 'paused')
  expect(found).toMatchObject({ run: 1, interruptions: 0, failures: 0 })
  expect(found.items).toBeGreaterThan(20)
})

test('a run in its process hears that others wait for its slot, and leaves it', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker({ CONCURRENCY: '1' })
  const long = await yard.jobs.enqueue(polite)
  await yard.stage.reached(long.id, 'running')
  const short = await yard.jobs.enqueue(inProcess, { deed: 'behave' })
  await yard.stage.ended(short.id)
  expect(await yard.stage.find(long.id)).not.toMatchObject({ state: 'completed' })
  const ended = await yard.stage.ended(long.id)
  expect(ended).toMatchObject({ state: 'completed', items: 600, failures: 0, interruptions: 0 })
  expect(ended.run).toBeGreaterThan(1)
})

test('an isolated iteration that stands still goes alone, and goes on from its checkpoint', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const innocent = await yard.jobs.enqueue(bystander, { ms: 6_000 })
  const { id } = await yard.jobs.enqueue(stalls)
  const ended = await yard.stage.ended(id)
  expect(ended).toMatchObject({ state: 'completed', run: 2, failures: 1, interruptions: 0, losses: 0, items: 200 })
  expect(await worker.logged('HF_STALLED')).toMatchObject({ job: id })
  const [trail] = await yard.stage.sql<{ error: object }>('select error from :schema.trail where job = $1', [id])
  expect(trail?.error).toMatchObject({ code: 'HF_STALLED', stack: expect.stringContaining('isolated.ts') })
  expect(await yard.stage.ended(innocent.id)).toMatchObject({ state: 'completed', run: 1 })
})

test('what a run leaves behind and throws later is not the fault of the next one', async () => {
  await using yard = await openYard()
  // Both wait, so that the second begins at once when the first has ended: its process does not live long.
  const bomb = await yard.jobs.enqueue(inProcessRoomy, { deed: 'leave a bomb' })
  const next = await yard.jobs.enqueue(inProcessRoomy, { deed: 'stay a while' })
  await using worker = await yard.worker({ CONCURRENCY: '1' })
  await yard.stage.ended(bomb.id)
  const ended = await yard.stage.ended(next.id)
  expect(ended).toMatchObject({ state: 'completed', run: 1, failures: 0 })
  expect(await worker.logged('too late')).toMatchObject({ job: bomb.id })
  // Nobody knows what else is wrong in there.
  await gone(ended.result)
})

test('jobs wait, and lose nothing, while no process can load the app', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const isolated = jobs.task({ name: 'isolated', isolate: true, run() {} })
  const single = jobs.task({ name: 'single', isolate: true, delivery: 'at-most-once', run() {} })
  const worker = await stage.start(jobs.app({ tasks: [isolated, single] }), { appFile: '/nowhere/holdfast.config.ts' })
  const ids = [await jobs.enqueue(isolated), await jobs.enqueue(single)]
  expect((await worker.logged('starting an isolated process')).message).toContain('/nowhere/holdfast.config.ts')
  // Also what may start only once: it has not.
  for (const { id } of ids)
    expect(await stage.reached(id, 'snoozed')).toMatchObject({ failures: 0, interruptions: 0, losses: 0 })
})

test('what waits for its process when the worker stops does not begin there: others can have it at once', async () => {
  await using stage = await stages()
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-never-'))
  const never = path.join(folder, 'never.mjs')
  await writeFile(never, 'setInterval(() => {}, 1_000); await new Promise(() => {})')
  const jobs = stage.holdfast()
  const isolated = jobs.task({ name: 'isolated', isolate: true, run() {} })
  const worker = await stage.start(jobs.app({ tasks: [isolated] }), { appFile: never })
  const { id } = await jobs.enqueue(isolated)
  await stage.reached(id, 'running')
  expect(await worker.shutdown()).toMatchObject({ left: 0, ms: expect.toSatisfy((ms) => ms < 10_000) })
  expect(await stage.find(id)).toMatchObject({ state: 'ready', interruptions: 0, failures: 0 })
  await rm(folder, { recursive: true })
})

test('a suspect runs alone, in a process that nobody had before, and is parked when it kills that one, too', async () => {
  await using yard = await openYard()
  const guilty = await yard.jobs.enqueue(inProcess, { deed: 'segmentation fault' })
  const victim = await yard.jobs.enqueue(inProcess, { deed: 'kill itself', once: true })
  const cleared = await yard.jobs.enqueue(bystander, { ms: 0 })
  await yard.stage.sql('update :schema.job set crashes = 2')
  await using worker = await yard.worker()
  await yard.stage.reached(guilty.id, 'parked')
  const parked = worker.log.find((line) => line['job'] === guilty.id && line.msg.startsWith('Job parked'))
  expect(parked?.msg).toContain('also when it runs alone: killed by SIGSEGV')
  // Killed from outside: that proves nothing.
  expect(await yard.stage.ended(victim.id)).toMatchObject({ state: 'completed', run: 2 })
  // Also a task that is not isolated otherwise.
  expect(await yard.stage.ended(cleared.id)).toMatchObject({ state: 'completed', run: 1 })
  const { pid } = await yard.saw('bystander')
  expect(pid).not.toBe(worker.pid)
  await gone(pid)
})

test('a worker that does not know the file of its app refuses to start, and says what to do', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const isolated = jobs.task({ name: 'isolated', isolate: true, run() {} })
  await expect(stage.start(jobs.app({ tasks: [isolated] }))).rejects.toMatchObject({
    code: 'HF_ISOLATE',
    message: expect.stringContaining('isolated'),
  })
})
