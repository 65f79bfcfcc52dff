import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Holdfast, PgClient } from '../../src/index.ts'
import { carry, finish, once, pay, restart, walk } from '../fixtures/apps/kill.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { Fleet } from './fleet.ts'
import { type Random, randomFrom } from './random.ts'
import { check, type Enqueued, left, requireStrikes, WALK_ITEMS, watch } from './verdict.ts'

const stages = useStages()
/** At-most-once jobs; everything else grows along. */
const RUNS = Number(process.env['HOLDFAST_KILL_RUNS'] ?? 300)
const SEED = Number(process.env['HOLDFAST_KILL_SEED'] ?? Math.floor(Math.random() * 1e9))
const WORKERS = 3

/** What every round has in it; its order, victims and moments are the seed's. */
const FAULTS = [
  ...['kill in a batch', 'kill in a batch', 'kill in a batch', 'kill in a batch', 'freeze in a batch'],
  ...['kill in at-most-once code', 'kill in at-most-once code', 'kill', 'freeze'],
  ...['terminate', 'terminate', 'terminate in a batch'],
] as const
const ROUNDS = Math.ceil(RUNS / 300)
const A_ROUND = { once: 25, finish: 4, restart: 4, pay: 2, carry: 1, walk: 1 }

test(`workers killed, stopped and frozen at random: nothing is lost, nothing happens twice (HOLDFAST_KILL_SEED=${SEED})`, {
  timeout: 60_000 + ROUNDS * 60_000,
}, async () => {
  process.stderr.write(`HOLDFAST_KILL_SEED=${SEED} HOLDFAST_KILL_RUNS=${RUNS}\n`)
  const random = randomFrom(SEED)
  await using stage = await stages()
  using witness = createWitness()
  await watch(stage)
  const jobs = stage.holdfast({ queues: { bulk: {}, once: {} } })
  const settings = { app: 'kill', database: stage.database, schema: stage.schema, witness: witness.path }
  await using fleet = new Fleet(settings, witness)
  await fleet.start(WORKERS)

  const enqueued: Enqueued = { finish: [], restart: [], pay: [], carry: [], walk: [], once: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const fault of random.shuffle(FAULTS)) {
      await fleet.ready(2)
      await Promise.all([enqueueSome(jobs, enqueued), strike(fleet, fault, random)])
      await sleep(random.between(50, 300))
    }
  }
  await fleet.whole()
  await until(async () => (await left(stage)) === 0, { deadline: 60_000, every: 50, what: 'every job has ended' })

  requireStrikes(fleet, witness, { batches: 2 * ROUNDS })
  await check(stage, witness, fleet, enqueued)
  expect(enqueued.once.length).toBeGreaterThanOrEqual(RUNS)
})

async function enqueueSome(jobs: Holdfast<'bulk' | 'once' | 'default', PgClient>, enqueued: Enqueued): Promise<void> {
  const some = async (name: keyof Enqueued, enqueue: () => Promise<{ id: string }>) => {
    for (let n = 0; n < A_ROUND[name]; n++) enqueued[name].push((await enqueue()).id)
  }
  await Promise.all([
    some('once', () => jobs.enqueue(once)),
    some('finish', () => jobs.enqueue(finish)),
    some('restart', () => jobs.enqueue(restart)),
    some('pay', () => jobs.enqueue(pay)),
    some('carry', () => jobs.enqueue(carry)),
    some('walk', () => jobs.enqueue(walk, { items: WALK_ITEMS })),
  ])
}

async function strike(fleet: Fleet, fault: (typeof FAULTS)[number], random: Random): Promise<void> {
  const frozenFor = random.between(2_600, 3_200)
  switch (fault) {
    case 'kill in a batch':
      return fleet.kill(await fleet.next('open'))
    case 'kill in at-most-once code':
      return fleet.kill(await fleet.next('once'))
    case 'terminate in a batch':
      return fleet.terminate(await fleet.next('open'))
    case 'freeze in a batch':
      return fleet.freeze(await fleet.next('open'), frozenFor)
    case 'kill':
      return fleet.kill(random.pick(fleet.awake))
    case 'terminate':
      return fleet.terminate(random.pick(fleet.awake))
    case 'freeze':
      return fleet.freeze(random.pick(fleet.awake), frozenFor)
  }
}
