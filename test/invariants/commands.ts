import fc from 'fast-check'
import { expect } from 'vitest'
import { Marks } from '../../src/engine/marks.ts'
import { loadCheckpoint, saveCheckpoint, saveCheckpointInTransaction } from '../../src/store/checkpoints.ts'
import type { Database } from '../../src/store/db.ts'
import * as jobs from '../../src/store/jobs.ts'
import { openingCommands } from '../../src/store/opening.ts'
import * as operations from '../../src/store/operations.ts'
import { fanOut } from '../../src/store/parts.ts'
import { FROM_THE_BEGINNING, liftStragglers, promote, publishMarks } from '../../src/store/upkeep.ts'
import * as workers from '../../src/store/workers.ts'
import type { Stage } from '../support/stage.ts'
import { type Fence, type Model, S, type Worker, waits } from './model.ts'
import { byId, compare } from './store.ts'

/** What a command works on: the database, and what the processes of the workers remember. */
export interface Real {
  readonly stage: Stage
  readonly db: Database
  readonly marks: Map<number, Marks>
  /** Ids are made here, so that a seed gives the same ones again. */
  readonly nextId: () => string
  /** How often each command ran, and how often it was refused: a sequence in which nothing is ever refused proves little. */
  readonly tally: Map<string, number>
}

/** Does one thing in the model and in the database; resolves with the model's answer and the database's. */
type Step<A> = (model: Model, real: Real, args: A) => Promise<[expected: unknown, actual: unknown] | undefined>

class Command<A> implements fc.AsyncCommand<Model, Real> {
  readonly #name: string
  readonly #args: A
  readonly #step: Step<A>

  constructor(name: string, args: A, step: Step<A>) {
    this.#name = name
    this.#args = args
    this.#step = step
  }

  check = () => true

  async run(model: Model, real: Real): Promise<void> {
    const answers = await this.#step(model, real, this.#args)
    if (answers === undefined) return
    const [expected, actual] = answers
    expect(actual, `${this.toString()} answers`).toEqual(expected)
    await compare(real.stage, model)
    const refused = expected === false || expected === undefined || expected === 'refused'
    const key = `${this.#name}${refused ? ' refused' : ''}`
    real.tally.set(key, (real.tally.get(key) ?? 0) + 1)
  }

  toString(): string {
    return `${this.#name}(${JSON.stringify(this.#args)})`
  }
}

const BY = { reason: 'why', owner: 'me' }
const NONE = { worker: -1, claims: [] }
const QUEUE = 'q'
/** What each of the workers knows; the task `once` is one that starts at most once. */
const TASKS = [['a', 'b', 'once'], ['a', 'b', 'once'], ['a']] as const
const UNTIL = { kind: 'delay', ms: 3_600_000 } as const

const number = fc.nat({ max: 1_000 })
/** Which fence: a current one, or on purpose one whose run is over. */
const fence = fc.record({ nth: number, stale: fc.boolean() })
type Pick = { nth: number; stale: boolean }

function pick<T>(list: readonly T[], nth: number): T | undefined {
  return list.length === 0 ? undefined : list[list.length - 1 - (nth % list.length)]
}

/**
 * A fence whose run has its job, or on purpose a stale one: most often of a job that is ready again, or on another worker, because
 * there is something to break then. `task`: of this task only.
 */
function fenceOf(model: Model, { nth, stale }: Pick, task?: string): Fence | undefined {
  const all = model.fences.filter(({ id }) => task === undefined || model.jobs.get(id)?.task === task)
  const wanted = all.filter((each) => model.holds(each) !== stale)
  const near = wanted.filter(({ id }) => (model.jobs.get(id)?.state ?? S.lost) <= S.started)
  return (nth % 4 > 0 ? pick(near, nth) : undefined) ?? pick(wanted, nth) ?? pick(all, nth)
}

/** What a write closes. Of a job whose start is on record no worker asks for more time; the claim of one that did would stay open. */
function letGo(model: Model, held: Fence): jobs.Closing {
  const claims = model.holds(held, [S.started]) ? [] : model.letGo(held)
  model.close(held.worker, claims)
  return { worker: held.worker, claims }
}

function jobOf(model: Model, nth: number): string | undefined {
  return pick([...model.jobs.keys()], nth)
}

/** One that is alive, where there is one; every eighth time any incarnation that ever was. */
function workerOf(model: Model, nth: number): Worker {
  const alive = model.workers.filter((worker) => worker.alive)
  return ((nth % 8 > 0 ? pick(alive, nth) : undefined) ?? pick(model.workers, nth)) as Worker
}

export async function register(model: Model, { db, marks }: Real, slot: number): Promise<void> {
  const tasks = TASKS[slot] as readonly string[]
  const row = { name: 'w', build: 'b', release: '0', tasks, queues: [QUEUE], lease: 3_600_000 }
  const key = await workers.registerWorker(db, row)
  model.workers.push({ key, tasks, alive: true, lease: 'held', claims: 0, open: new Map() })
  marks.set(key, new Marks(QUEUE, []))
}

const STEPS = [
  step(
    'enqueue',
    fc.record({ task: fc.constantFrom('a', 'b', 'once'), priority: fc.constantFrom(3, 5), later: fc.boolean() }),
    async (model, real, args) => {
      const id = real.nextId()
      const after = args.later ? UNTIL : null
      const job = {
        id,
        queue: QUEUE,
        task: args.task,
        version: 1,
        priority: args.priority,
        input: null,
        expires: null,
        after,
      }
      model.add(id, args.task, args.priority, args.later ? S.scheduled : S.ready)
      await jobs.enqueue(real.db, [job], null)
      return [true, true]
    },
  ),
  step(
    'claim',
    fc.record({ nth: number, most: fc.integer({ min: 1, max: 4 }), lost: fc.nat({ max: 4 }) }),
    async (model, { db, marks }, args) => {
      const worker = workerOf(model, args.nth)
      const { key } = worker
      const known = marks.get(key) as Marks
      const claim = ++worker.claims
      const bands = known.bands(args.most)
      const expected = model.claim(key, claim, args.most, bands)
      const request = { worker: key, claim, queue: QUEUE, tasks: `{${worker.tasks.join(',')}}`, most: args.most, bands }
      const taken = await jobs.claim(db, request)
      const actual = taken.map(({ id, run }) => ({ id, run, worker: key, claim }))
      // Sometimes the answer is lost: then only the ledger knows of it.
      if (args.lost > 0) {
        known.raise(taken)
        if (actual.length > 0) worker.open.set(claim, new Set(actual.map(({ id, run }) => `${id} ${run}`)))
      }
      // Which jobs, not in which order the answer names them: they run side by side.
      return [byId(expected), byId(actual)]
    },
  ),
  step('start', fence, async (model, { db }, args) => {
    const held = fenceOf(model, args, 'once')
    if (held === undefined) return undefined
    return [model.start(held), (await jobs.start(db, [held])).has(held.id)]
  }),
  step('read the start', fence, async (model, { db }, args) => {
    const held = fenceOf(model, args, 'once')
    if (held === undefined) return undefined
    return [model.holds(held, [S.started]), (await jobs.readStart(db, [held])).has(held.id)]
  }),
  step(
    'save a checkpoint',
    fc.record({ nth: number, stale: fc.boolean(), more: fc.integer({ min: -1, max: 2 }), tx: fc.boolean() }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const items = Math.max(0, (model.jobs.get(held.id)?.items ?? 0) + args.more)
      const progress = { items, total: undefined, cursor: `${items}`, rate: undefined }
      const asked = model.requests.get(held.id)
      const expected = model.checkpoint(held, items) ? (asked ?? 'nothing') : 'refused'
      if (!args.tx) {
        const answer = await saveCheckpoint(db, held, progress)
        return [expected, answer === 'refused' ? answer : (answer?.action ?? 'nothing')]
      }
      const answer = inTransaction(db, async (client, nonce) => {
        const saved = await saveCheckpointInTransaction(db, client, held, progress, nonce)
        return saved?.action ?? 'nothing'
      })
      return [expected, await answer]
    },
  ),
  step('load the checkpoint', fence, async (model, { db }, args) => {
    const held = fenceOf(model, args)
    if (held === undefined) return undefined
    const found = await loadCheckpoint(db, held)
    return [model.holds(held) ? (model.job(held.id).items ?? 0) : undefined, found?.items]
  }),
  step('fan out', fence, async (model, { db, nextId }, args) => {
    const held = fenceOf(model, args, 'a')
    if (held === undefined) return undefined
    const part = nextId()
    return [model.fanOut(held, part), await fanOut(db, held, [part])]
  }),
  step(
    'end',
    fc.record({
      nth: number,
      stale: fc.boolean(),
      state: fc.constantFrom(20, 20, 21, 22, 23, 24, 25),
      keep: fc.boolean(),
      tx: fc.boolean(),
    }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      // As the worker chooses: the short statement for what has left no traces.
      const traces = model.requests.has(held.id) || (model.jobs.get(held.id)?.items ?? null) !== null
      const completes = args.state === S.completed
      const keep = args.keep || !completes
      const expected = model.finish(held, args.state, keep)
      if (completes && args.tx) {
        const ended = inTransaction(db, async (client, nonce) => {
          await jobs.finishInTransaction(db, client, held, { result: null, keep, nonce })
          return true
        })
        return [expected || 'refused', await ended]
      }
      const closing = { worker: held.worker, claims: model.letGo(held) }
      model.close(held.worker, closing.claims)
      const write = { id: held.id, run: held.run, state: args.state, result: null, error: null, keep }
      const ended =
        completes && !traces ? await jobs.complete(db, [write], keep, closing) : await jobs.finish(db, [write], closing)
      return [expected, ended.has(held.id)]
    },
  ),
  step(
    'put away',
    fc.record({ nth: number, stale: fc.boolean(), state: fc.constantFrom(11, 12, 13, 14) }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const closing = letGo(model, held)
      const expected = model.delay(held, args.state)
      const write = {
        ...held,
        state: args.state,
        until: UNTIL,
        failed: args.state === S.retrying,
        reason: null,
        error: null,
      }
      return [expected, (await jobs.delay(db, [write], closing)).has(held.id)]
    },
  ),
  step(
    'hand back',
    fc.record({ nth: number, stale: fc.boolean(), interrupted: fc.boolean() }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const closing = letGo(model, held)
      const expected = model.handBack(held, args.interrupted)
      const back = await jobs.handBack(db, [{ ...held, interrupted: args.interrupted, reason: null }], closing)
      return [expected, back.length === 1]
    },
  ),
  step('compare ledgers', number, async (model, { db }, nth) => {
    const { key, open } = workerOf(model, nth)
    const expected = model.strangers(key)
    const found = await jobs.readClaims(db, key, [...open.keys()])
    const claims = [...new Set(found.map(({ claim }) => claim))]
    for (const each of expected) model.handBack(each, false)
    model.close(key, claims, { onlyEmpty: true })
    await jobs.handBack(
      db,
      found.map(({ id, run }) => ({ id, run, interrupted: false, reason: null })),
      NONE,
    )
    await jobs.closeClaims(db, key, claims)
    return [sorted(expected.map(({ id, run }) => `${id} ${run}`)), sorted(found.map(({ id, run }) => `${id} ${run}`))]
  }),
  step('register again', fc.nat({ max: 2 }), async (model, real, slot) => {
    await register(model, real, slot)
    return [true, true]
  }),
  step('renew', number, async (model, { db }, nth) => {
    // Most of all one that was revoked and does not know it yet.
    const revoked = model.workers.filter(({ alive, lease }) => !alive && lease !== 'gone')
    const { key } = pick(revoked, nth) ?? workerOf(model, nth)
    return [model.renew(key), (await db.run('renew', [key, 3_600_000])).length === 1]
  }),
  step('let the lease run out', number, async (model, { db }, nth) => {
    const worker = workerOf(model, nth)
    if (worker.lease !== 'gone') worker.lease = 'expired'
    await workers.expireLease(db, worker.key, -1)
    return [true, true]
  }),
  step('revoke', fc.record({ nth: number, force: fc.boolean() }), async (model, { db }, { nth, force }) => {
    const { key } = workerOf(model, nth)
    return [model.revoke(key, force), await workers.revokeWorker(db, key, force)]
  }),
  step('release', number, async (model, { db }, nth) => {
    const { key } = workerOf(model, nth)
    const expected = sorted(model.release(key))
    const { freed, left } = await workers.releaseWorker(db, key, 'test')
    return [
      [expected, model.forget(key)],
      [sorted(freed.map(({ id }) => id)), left],
    ]
  }),
  step('sweep', fc.constant(null), async (model, { db }) => {
    const expected = model.workers.filter(({ alive, lease }) => lease !== 'gone' && (lease === 'expired' || !alive))
    const found = await workers.expiredWorkers(db)
    for (const { key } of expected) {
      model.revoke(key, false)
      model.release(key)
    }
    for (const { worker } of found) {
      await workers.revokeWorker(db, worker, false)
      await workers.releaseWorker(db, worker, 'test')
    }
    return [sorted(expected.map(({ key }) => `${key}`)), sorted(found.map(({ worker }) => `${worker}`))]
  }),
  step('retire', number, async (model, { db }, nth) => {
    const { key } = workerOf(model, nth)
    model.revoke(key, true)
    return [model.forget(key) === 0, await workers.retireWorker(db, key)]
  }),
  step('cancel', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.cancel(id), await operations.cancel(db, id, BY)]
  }),
  step('pause', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.pause(id), await operations.pauseJob(db, id, BY, 3_600_000)]
  }),
  step('resume', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.resume(id), (await operations.resumeJob(db, id)) !== undefined]
  }),
  step('retry by hand', number, async (model, { db, nextId }, nth) => {
    const id = jobOf(model, nth)
    if (id === undefined) return undefined
    const fresh = nextId()
    return [model.retry(id, fresh), (await operations.retryJob(db, id, fresh))?.id]
  }),
  step('promote', fc.array(number, { maxLength: 3 }), async (model, { db, stage }, chosen) => {
    const waiting = [...model.jobs.values()].filter(({ state }) => waits(state))
    const due = [...new Set(chosen.map((nth) => pick(waiting, nth)?.id).filter((id) => id !== undefined))]
    await stage.sql(`update :schema.waiting set due_at = clock_timestamp() where id = any($1)`, [due])
    const expected = model.promote(due)
    const ready = await promote(db, 100, FROM_THE_BEGINNING)
    return [expected, ready.reduce((sum, each) => sum + each.jobs, 0)]
  }),
  step('look for stragglers', number, async (model, { db, marks }, nth) => {
    const { key, tasks } = workerOf(model, nth)
    await publishMarks(db, tasks.join(), tasks, marks.get(key)?.risen() ?? [])
    // One after the other, nothing can be late: whatever is ready is above all marks.
    return [[], await liftStragglers(db, { reset: true, every: 0, most: 100 })]
  }),
  step('read requests', number, async (model, { db }, nth) => {
    const { key } = workerOf(model, nth)
    const mine = [...model.jobs.values()].filter(
      ({ id, worker, state }) => worker === key && (state === 1 || state === 2) && model.requests.has(id),
    )
    const found = await workers.requestsFor(db, key)
    const text = ({ id, run }: { id: string; run: number }) => `${id} ${run}`
    return [sorted(mine.map(text)), sorted(found.map(text))]
  }),
]

/** What comes often, since everything else hangs on it. */
const WEIGHTS: Record<string, number> = {
  ...{
    enqueue: 10,
    claim: 10,
    start: 5,
    'read the start': 2,
    'save a checkpoint': 5,
    'load the checkpoint': 2,
    'fan out': 3,
  },
  ...{ end: 5, 'put away': 4, 'hand back': 6, promote: 3, 'register again': 2 },
}

export const COMMANDS = STEPS.flatMap(({ name, arbitrary }) =>
  Array.from({ length: WEIGHTS[name] ?? 1 }, () => arbitrary),
)
export const NAMES = STEPS.map(({ name }) => name)

function step<A>(name: string, args: fc.Arbitrary<A>, does: Step<A>) {
  const arbitrary: fc.Arbitrary<fc.AsyncCommand<Model, Real>> = args.map((values) => new Command(name, values, does))
  return { name, arbitrary }
}

/** As the engine opens one around the code of a job. `'refused'`: it was raised, and nothing committed. */
async function inTransaction<T>(
  db: Database,
  work: (on: { query: Database['query'] }, nonce: string) => Promise<T>,
): Promise<T | 'refused'> {
  const nonce = '00000000-0000-4000-8000-000000000000'
  try {
    return await db.transaction(
      (client) => work({ query: (text, values) => client.query(text, values as unknown[]) }, nonce),
      openingCommands(10_000, nonce),
    )
  } catch (error) {
    if ((error as { code?: string }).code === 'HF_FENCED') return 'refused'
    throw error
  }
}

function sorted(texts: readonly string[]): string[] {
  return texts.toSorted()
}
