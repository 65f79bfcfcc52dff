import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { pay } from '../fixtures/apps/once.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness, type Witness } from '../support/witness.ts'
import { randomFrom } from './random.ts'
import { type Kill, SupervisedFleet } from './supervised-fleet.ts'
import { left } from './verdict.ts'

const stages = useStages()
const RUNS = Number(process.env['HOLDFAST_ONCE_RUNS'] ?? 500)
const SEED = Number(process.env['HOLDFAST_KILL_SEED'] ?? Math.floor(Math.random() * 1e9))
const A_ROUND = 50
const ROUNDS = Math.ceil(RUNS / A_ROUND)
const SUPERVISORS = 2

/** At a random moment, or right when code begins. A supervisor goes with its worker processes, as the host does. */
const FAULTS = ['worker', 'worker', 'worker in code', 'supervisor', 'supervisor in code'] as const

test(`at most once: ${RUNS} runs under SIGKILL of workers and supervisors, and none starts twice (HOLDFAST_KILL_SEED=${SEED})`, {
  timeout: 120_000 + ROUNDS * 15_000,
}, async () => {
  process.stderr.write(`HOLDFAST_KILL_SEED=${SEED} HOLDFAST_ONCE_RUNS=${RUNS}\n`)
  const random = randomFrom(SEED)
  await using stage = await stages()
  using witness = createWitness()
  const settings = { app: 'once', database: stage.database, schema: stage.schema, witness: witness.path }
  await using fleet = new SupervisedFleet(settings, witness)
  const began = performance.now()
  await fleet.start(SUPERVISORS)
  const jobs = stage.holdfast()
  const ids: string[] = []
  let faults: (typeof FAULTS)[number][] = []
  for (let round = 0; round < ROUNDS; round++) {
    await fleet.ready(2)
    if (faults.length === 0) faults = random.shuffle(FAULTS)
    const fault = faults.pop() as (typeof FAULTS)[number]
    const enqueued = Promise.all(Array.from({ length: A_ROUND }, () => jobs.enqueue(pay)))
    const pid = fault.endsWith('in code') ? await fleet.next() : await sleep(random.between(20, 200), undefined)
    if (fault.startsWith('worker')) await fleet.killWorker(random, pid)
    else await fleet.killSupervisor(random, pid)
    ids.push(...(await enqueued).map(({ id }) => id))
  }
  await fleet.whole()
  await until(async () => (await left(stage)) === 0, { deadline: 90_000, every: 50, what: 'every job has ended' })

  const states = await check(stage, witness, ids)
  const struck = strikes(fleet.kills, witness)
  expect(struck.worker, 'INVALID RUN: workers killed while code ran').toBeGreaterThan(0)
  expect(struck.supervisor, 'INVALID RUN: supervisors killed while code ran').toBeGreaterThan(0)
  const seconds = Math.round((performance.now() - began) / 1_000)
  process.stderr.write(`${JSON.stringify({ runs: ids.length, kills: fleet.kills.length, struck, states, seconds })}\n`)
})

/** Kills that met code that had begun and not ended. */
function strikes(kills: readonly Kill[], witness: Witness): Record<Kill['of'], number> {
  const open = new Map<unknown, number>()
  for (const { what, id, pid } of witness.saw()) {
    if (what === 'begin') open.set(id, pid)
    else open.delete(id)
  }
  const cut = new Set(open.values())
  const count = (of: Kill['of']) =>
    kills.filter((kill) => kill.of === of && kill.pids.some((pid) => cut.has(pid))).length
  return { worker: count('worker'), supervisor: count('supervisor') }
}

interface Ended {
  id: string
  state: number
  run: number
  failures: number
  crashes: number
}

async function check(stage: Stage, witness: Witness, ids: readonly string[]): Promise<Record<string, number>> {
  const ended = await stage.sql<Ended>('select id, state, run, failures, crashes from :schema.history')
  expect(ended.map(({ id }) => id).sort(), 'each job ended, once').toEqual([...ids].sort())
  const began = witness.saw('begin').map(({ id }) => id)
  const twice = began.filter((id, index) => began.indexOf(id) !== index)
  expect(twice, 'no id started twice').toEqual([])

  const started = new Set(began)
  const done = new Set(witness.saw('end').map(({ id }) => id))
  const byState = (state: number) => ended.filter((job) => job.state === state)
  const [completed, lost, interrupted] = [byState(20), byState(24), byState(25)]
  expect(completed.length + lost.length + interrupted.length, 'completed, lost or interrupted').toBe(ids.length)
  expect(
    completed.filter(({ id }) => !done.has(id)),
    'what completed has run to its end',
  ).toEqual([])
  expect(
    ended.filter(({ id, state }) => state === 20 && !started.has(id)),
    'and had started',
  ).toEqual([])
  expect(
    ended.filter(({ failures, crashes }) => failures + crashes > 0),
    'nobody is to blame for a kill',
  ).toEqual([])
  return { completed: completed.length, lost: lost.length, interrupted: interrupted.length }
}
