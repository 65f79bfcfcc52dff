import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { settleVerdict } from '../../src/engine/settle-verdict.ts'
import { decodeVerdict, type Verdict } from '../../src/model/verdict.ts'
import {
  boundless,
  brief,
  call,
  churn,
  deaf,
  finishes,
  heeds,
  hogs,
  lasts,
  outlasts,
  paces,
  relay,
  restarts,
  rude,
  spin,
  steady,
  stuck,
  stuckAlone,
  transacts,
  waits,
  walks,
} from '../fixtures/apps/limits.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { createWitness, type Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess, type WorkerSettings } from '../support/worker-process.ts'
import { test } from './support.ts'

const stages = useStages()
/** Where nothing may wait for one to run out: half of it is over any bound, however busy the machine is. */
const A_LEASE = 120_000

async function openYard() {
  const stage = await stages()
  const witness = createWitness()
  const place = { app: 'limits', database: stage.database, schema: stage.schema, witness: witness.path }
  return {
    stage,
    witness,
    jobs: stage.holdfast({ queues: { beside: {} } }),
    worker: (settings: Partial<WorkerSettings> = {}) => startWorkerProcess({ ...place, ...settings }),
    async [Symbol.asyncDispose]() {
      witness[Symbol.dispose]()
      await stage[Symbol.asyncDispose]()
    },
  }
}

type Yard = Awaited<ReturnType<typeof openYard>>

/** Resolves with when it began, in wall time. */
async function begun({ witness }: { witness: Witness }, task: string): Promise<number> {
  const found = () => witness.saw('begin').find((sighting) => sighting['task'] === task)
  await until(() => found() !== undefined, { what: `${task} has begun` })
  return found()?.at as number
}

async function neighbours({ jobs, witness }: Yard): Promise<string[]> {
  const ids = [await jobs.enqueue(restarts), await jobs.enqueue(walks, { items: 100 }), await jobs.enqueue(finishes)]
  for (const task of ['restarts', 'walks', 'finishes']) await begun({ witness }, task)
  return ids.map(({ id }) => id)
}

async function allCompleted(stage: Stage, ids: readonly string[]): Promise<void> {
  for (const id of ids) expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, run: 2 })
}

async function exitedAt(worker: WorkerProcess): Promise<number> {
  await worker.exit()
  return Date.now()
}

for (const task of [spin, churn]) {
  test(`an endless loop in-process (${task.name}): at the hard limit its process ends, the job fails with the place, others go on`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker()
    const ids = await neighbours(yard)
    const { id } = await yard.jobs.enqueue(task, { ms: 600_000 })
    const from = await begun(yard, task.name)
    const at = await exitedAt(worker)
    expect(worker.ended).toMatchObject({ code: 75 })
    expect(at - from).toBeGreaterThanOrEqual(950)
    expect(at - from).toBeLessThan(1_000 + 1_000 + SLOW_MACHINE)
    expect(worker.noise.join('\n')).toContain(
      `job ${id} of task ${task.name}: The run was still going at its hard limit`,
    )
    const [trail] = await yard.stage.sql<{ error: { code: string; message: string; stack: string } }>(
      `select error from :schema.trail where job = $1 union all select error from :schema.history where id = $1`,
      [id],
    )
    expect(trail?.error).toMatchObject({ code: 'HF_HARD_LIMIT', stack: expect.stringContaining('apps/limits.ts') })
    expect(trail?.error.message).toMatch(/at its hard limit of 1s: the event loop was blocked for/)
    await using _heir = await yard.worker()
    await allCompleted(yard.stage, ids)
    expect(await yard.stage.ended(id)).toMatchObject({ failures: 1, state: task === spin ? 'completed' : 'failed' })
  })
}

test('a supervised process gives its verdict, and dies: settling is left to whoever saw it', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ blackbox: true })
  const { id } = await yard.jobs.enqueue(spin, { ms: 600_000 })
  expect(await worker.exit()).toMatchObject({ signal: 'SIGKILL' })
  await until(() => worker.verdicts.length > 0, { what: 'the verdict is read' })
  expect(worker.verdicts).toHaveLength(1)
  const verdict = decodeVerdict(worker.verdicts[0] ?? '') as Verdict
  expect(verdict).toMatchObject({
    kind: 'hard-limit',
    job: { id, run: 1, task: 'spin', failures: 0 },
    stack: expect.stringMatching(/^ {4}at spinFor \(.*limits\.ts:\d+:\d+\)\n {4}at run \(/),
  })
  expect(verdict.blockedMs).toBeGreaterThan(400)
  expect(await yard.stage.find(id)).toMatchObject({ state: 'running', failures: 0 })
  expect(await settleVerdict(yard.stage.db, worker.key, verdict, { delivery: 'at-least-once', retry: false })).toBe(
    true,
  )
  expect(await yard.stage.find(id)).toMatchObject({ state: 'failed', failures: 1, error: { code: 'HF_HARD_LIMIT' } })
  expect(await settleVerdict(yard.stage.db, worker.key, verdict, { delivery: 'at-least-once', retry: false })).toBe(
    false,
  )
})

test('under holdfast work the worker is replaced, the jobs beside it go on at once on other slots, none has failed', async () => {
  await using yard = await openYard()
  const env = { LEASE: `${A_LEASE}ms` }
  await using worker = await yard.worker({ entry: 'cli', env })
  const ids = await neighbours(yard)
  const { id } = await yard.jobs.enqueue(spin, { ms: 600_000 })
  const from = await begun(yard, 'spin')
  await using _other = await yard.worker({ queues: ['beside'], env })
  await allCompleted(yard.stage, ids)
  for (const task of ['restarts', 'walks', 'finishes']) {
    const again = yard.witness.saw('begin').find((sighting) => sighting['task'] === task && sighting['run'] === 2)
    if (task !== 'walks') expect((again?.at ?? Infinity) - from, task).toBeLessThan(A_LEASE / 2)
  }
  for (const each of ids) expect(await yard.stage.find(each)).toMatchObject({ interruptions: 1, losses: 0, crashes: 0 })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 1, crashes: 0, run: 2 })
  expect(worker.ended).toBeUndefined()
  expect(worker.log.filter((line) => line.msg === 'Worker started')).toHaveLength(2)
})

test('a loop blocked for three leases within its limit keeps the lease: no second run, and the log names who it was', async () => {
  await using yard = await openYard()
  const env = { LEASE: '2s', SOFT: '20s', HARD: '25s' }
  await using worker = await yard.worker({ env })
  // The watchdog looks ten times a second, so that it may see 100 ms less.
  const { id } = await yard.jobs.enqueue(spin, { ms: 6_600 })
  await begun(yard, 'spin')
  await using _other = await yard.worker({ env })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', run: 1, losses: 0, failures: 0 })
  expect(yard.witness.saw('begin')).toHaveLength(1)
  const line = await worker.logged(/The event loop was blocked for .* by task spin/)
  expect(line).toMatchObject({ job: id, task: 'spin', stack: expect.stringContaining('at spinFor') })
  expect(line.msg).toMatch(/blocked for (6\.[5-9]|[7-9](\.\d)?|1\d)s by task spin/)
})

test('what the log names is who blocked the loop, not what the last look found after it', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { LEASE: '30s', SOFT: '20s', HARD: '25s' } })
  // Looked at soon and then every 5 s: the second look finds code of no run.
  const { id } = await yard.jobs.enqueue(relay, { ms: 5_000 })
  expect(await worker.logged(/The event loop was blocked for/)).toMatchObject({
    job: id,
    task: 'relay',
    stack: expect.stringMatching(/at spinFor .*\n.*at run/),
  })
})

test('a system call that blocks the loop past the only limit ends its process, too', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(call, { ms: 60_000 })
  const from = await begun(yard, 'call')
  expect((await exitedAt(worker)) - from).toBeLessThan(8_000 + SLOW_MACHINE)
  expect(worker.ended).toMatchObject({ signal: 'SIGKILL' })
  expect(await yard.stage.find(id)).toMatchObject({ state: 'failed', failures: 1, error: { code: 'HF_HARD_LIMIT' } })
})

for (const how of ['loop', 'call'] as const) {
  test(`code that has no limit may not block the loop for ever (${how}): it fails by name, what runs beside it is interrupted`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker({ env: { TEST_MAX_BLOCK: '3000', LEASE: '30s' } })
    const beside = how === 'loop' ? [await yard.jobs.enqueue(restarts)] : []
    if (how === 'loop') await begun(yard, 'restarts')
    const { id } = await yard.jobs.enqueue(boundless, { how })
    const from = await begun(yard, 'boundless')
    expect((await exitedAt(worker)) - from).toBeGreaterThanOrEqual(2_900)
    expect(await yard.stage.find(id)).toMatchObject({
      state: 'failed',
      failures: 1,
      error: {
        code: 'HF_BLOCKED',
        message: expect.stringMatching(/^The run has no limit and did not give way: the event loop was blocked for/),
      },
    })
    expect(worker.noise.join('\n')).toContain(`job ${id} of task boundless: The run has no limit`)
    for (const each of beside)
      expect(await yard.stage.find(each.id)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0, losses: 0 })
  })
}

test('one within the limit is left alone', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { LEASE: '2s', SOFT: '20s', HARD: '25s' } })
  const { id } = await yard.jobs.enqueue(call, { ms: 4_000 })
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', run: 1, losses: 0 })
  const { id: next } = await yard.jobs.enqueue(restarts)
  await begun(yard, 'restarts')
  expect(await yard.stage.find(next)).toMatchObject({ state: 'running' })
  expect(worker.ended).toBeUndefined()
})

test('code that ignores its signal has its process replaced at the hard limit: it fails, what runs beside it is interrupted', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker()
  const ids = [await yard.jobs.enqueue(restarts), await yard.jobs.enqueue(walks, { items: 100 })].map(({ id }) => id)
  for (const task of ['restarts', 'walks']) await begun(yard, task)
  const { id } = await yard.jobs.enqueue(deaf)
  const from = await begun(yard, 'deaf')
  const at = await exitedAt(worker)
  expect(worker.ended).toMatchObject({ code: 75 })
  expect(at - from).toBeGreaterThanOrEqual(950)
  expect(at - from).toBeLessThan(1_000 + 1_000 + SLOW_MACHINE)
  const [aborted] = yard.witness.saw('aborted')
  expect((aborted?.at ?? 0) - from).toBeLessThan(1_000 + SLOW_MACHINE)
  expect(await yard.stage.find(id)).toMatchObject({ state: 'failed', failures: 1, error: { code: 'HF_HARD_LIMIT' } })
  for (const safe of ids)
    expect(await yard.stage.find(safe)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0, losses: 0 })
  await using _heir = await yard.worker()
  await allCompleted(yard.stage, ids)
})

for (const blackbox of [false, true]) {
  test(`what must finish beside it is let to its end, as long as the loop turns (${blackbox ? 'supervised' : 'alone'})`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker({ blackbox })
    const beside = await yard.jobs.enqueue(restarts)
    const last = await yard.jobs.enqueue(lasts)
    for (const task of ['restarts', 'lasts']) await begun(yard, task)
    const { id } = await yard.jobs.enqueue(deaf)
    await begun(yard, 'deaf')
    // Whoever can go elsewhere goes at once.
    await yard.stage.reached(beside.id, 'ready')
    expect(yard.witness.saw('end')).toEqual([])
    await worker.exit()
    expect(worker.ended).toMatchObject(blackbox ? { signal: 'SIGKILL' } : { code: 75 })
    expect(yard.witness.saw('end')).toMatchObject([{ task: 'lasts', run: 1 }])
    expect(await yard.stage.find(last.id)).toMatchObject({ state: 'completed', run: 1, interruptions: 0, failures: 0 })
    expect(await yard.stage.find(id)).toMatchObject(
      blackbox ? { state: 'running', failures: 0 } : { state: 'failed', error: { code: 'HF_HARD_LIMIT' } },
    )
  })
}

test('but no longer than a deploy could wait for it: then it is interrupted, not failed', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { HOLDFAST_GRACE: '4s' } })
  const { id } = await yard.jobs.enqueue(outlasts)
  await begun(yard, 'outlasts')
  await yard.jobs.enqueue(deaf)
  const from = await begun(yard, 'deaf')
  const at = await exitedAt(worker)
  // The hard limit, and then the shutdown budget: the grace without a second.
  expect(at - from).toBeGreaterThanOrEqual(950 + 3_000)
  expect(at - from).toBeLessThan(1_000 + 3_000 + 1_000 + SLOW_MACHINE)
  expect(await yard.stage.find(id)).toMatchObject({ state: 'ready', interruptions: 1, failures: 0, losses: 0 })
})

for (const task of [hogs, waits]) {
  test(`the time for which others block the loop is not a run's own (${task.name})`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker({ env: { LEASE: '30s' } })
    const paced = await yard.jobs.enqueue(paces)
    await begun(yard, 'paces')
    const { id } = await yard.jobs.enqueue(brief)
    const from = await begun(yard, 'brief')
    await yard.jobs.enqueue(task, { ms: 5_000 })
    await worker.logged('The event loop was blocked for')
    for (const each of [id, paced.id])
      expect(await yard.stage.ended(each)).toMatchObject({ state: 'completed', run: 1, failures: 0, interruptions: 0 })
    // Longer than the limit of `brief`, so that it would have struck.
    expect(Date.now() - from).toBeGreaterThan(5_000)
    expect(worker.ended).toBeUndefined()
  })
}

test('the time for which it blocks the loop itself is', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker({ env: { LEASE: '30s' } })
  const { id } = await yard.jobs.enqueue(hogs, { ms: 7_000 })
  const from = await begun(yard, 'hogs')
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'failed', error: { code: 'HF_TIME_LIMIT' } })
  // Not the limit of 5 s on top of it.
  expect(Date.now() - from).toBeLessThan(7_500 + 5_000)
})

test('a process that was frozen past both limits gives its code the time to end', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { LEASE: '30s' } })
  const { id } = await yard.jobs.enqueue(heeds)
  await begun(yard, 'heeds')
  worker.signal('SIGSTOP')
  await sleep(3_000)
  worker.signal('SIGCONT')
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'failed', error: { code: 'HF_TIME_LIMIT' } })
  await sleep(1_000)
  expect(worker.ended).toBeUndefined()
})

test('a process that was frozen in a transaction, which the server has ended meanwhile, fails no job for that', async () => {
  await using yard = await openYard()
  // A transaction may stand idle for two thirds of the lease: it is ended while the process is frozen, and nobody can write any more after that.
  await using worker = await yard.worker({ env: { LEASE: '9s' } })
  const { id } = await yard.jobs.enqueue(transacts)
  await begun(yard, 'transacts')
  await sleep(4_500)
  worker.signal('SIGSTOP')
  await sleep(3_000)
  worker.signal('SIGCONT')
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, losses: 0, items: 2 })
  expect(await worker.logged('Job snoozed')).toMatchObject({ job: id, msg: expect.stringContaining('HF_TX_IDLE') })
})

test('a supervised process says so, hands off, and dies', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ blackbox: true })
  const safe = await yard.jobs.enqueue(restarts)
  await begun(yard, 'restarts')
  const { id } = await yard.jobs.enqueue(deaf)
  expect(await worker.exit()).toMatchObject({ signal: 'SIGKILL' })
  await until(() => worker.verdicts.length > 0, { what: 'the verdict is read' })
  expect(worker.verdicts.map(decodeVerdict)).toMatchObject([{ kind: 'hard-limit', job: { id, run: 1 }, final: true }])
  expect(await yard.stage.find(id)).toMatchObject({ state: 'running', failures: 0 })
  expect(await yard.stage.find(safe.id)).toMatchObject({ state: 'ready', interruptions: 1 })
})

for (const how of ['timer', 'rejection'] as const) {
  for (const heeds of [true, false]) {
    test(`an error that nobody caught (${how}) fails the job that raised it, whether or not it ${heeds ? 'ends' : 'goes on'}`, async () => {
      await using yard = await openYard()
      await using worker = await yard.worker({ env: { HOLDFAST_GRACE: '5m' } })
      const safe = [await yard.jobs.enqueue(restarts), await yard.jobs.enqueue(walks, { items: 100 })]
      for (const task of ['restarts', 'walks']) await begun(yard, task)
      const { id } = await yard.jobs.enqueue(rude, { how, heeds })
      const line = await worker.logged(how === 'timer' ? 'uncaughtException' : 'unhandledRejection')
      expect(line['culprit']).toBe(id)
      expect(await worker.exit()).toMatchObject({ code: 1 })
      expect(await yard.stage.find(id)).toMatchObject({
        state: 'failed',
        failures: 1,
        error: { name: 'RangeError', message: how === 'timer' ? 'thrown from a timer' : 'nobody listens' },
      })
      for (const each of safe)
        expect(await yard.stage.find(each.id)).toMatchObject({
          state: 'ready',
          interruptions: 1,
          failures: 0,
          losses: 0,
        })
    })
  }
}

for (const task of [stuck, stuckAlone]) {
  test(`an iteration that stands still is stopped, fails, and goes on from its checkpoint: ${task.name}`, async () => {
    await using yard = await openYard()
    await using worker = await yard.worker()
    const { id } = await yard.jobs.enqueue(task)
    await worker.logged('The run made no progress for')
    expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 1, run: 2, items: 3 })
    const seen = yard.witness.saw('item').map(({ n, run }) => [n, run])
    expect(seen).toEqual([...[0, 1].map((n) => [n, 1]), ...[1, 2].map((n) => [n, 2])])
    const [trail] = await yard.stage.sql('select error from :schema.trail where job = $1', [id])
    expect(trail).toMatchObject({ error: { code: 'HF_STALLED' } })
    expect(worker.ended).toBeUndefined()
  })
}

test('in a process of its own, one that does not hear its signal is killed alone', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { HEEDS: 'no' } })
  const beside = await yard.jobs.enqueue(restarts)
  await begun(yard, 'restarts')
  const { id } = await yard.jobs.enqueue(stuckAlone)
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 1, crashes: 0, run: 2, items: 3 })
  expect(await yard.stage.find(beside.id)).toMatchObject({ state: 'running', run: 1 })
  expect(worker.ended).toBeUndefined()
})

test('and one that gets on is left alone there, however long it takes', async () => {
  await using yard = await openYard()
  await using _worker = await yard.worker()
  const { id } = await yard.jobs.enqueue(steady)
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, run: 1, items: 50 })
})

test('one that stands still and does not hear its signal has its process replaced', async () => {
  await using yard = await openYard()
  await using worker = await yard.worker({ env: { HEEDS: 'no' } })
  const { id } = await yard.jobs.enqueue(stuck)
  expect(await worker.exit()).toMatchObject({ code: 75 })
  await using _heir = await yard.worker()
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed', failures: 1, run: 2, items: 3 })
})
