import fc from 'fast-check'
import { adopt, loadCheckpoint, saveCheckpoint, saveCheckpointInTransaction } from '../../src/store/checkpoints.ts'
import * as claims from '../../src/store/claims.ts'
import type { Database } from '../../src/store/db.ts'
import { openingCommands } from '../../src/store/opening.ts'
import { fanOut } from '../../src/store/parts.ts'
import * as settles from '../../src/store/settles.ts'
import { placeOf } from '../support/place.ts'
import { fence, fenceOf, number, step } from './command.ts'
import { type Fence, S } from './facts.ts'
import type { Model } from './model.ts'

const UNTIL = { kind: 'delay', ms: 3_600_000 } as const

/** What a write closes. Of a job whose start is on record no worker asks for more time; the claim of one that did would stay open. */
function letGo(model: Model, held: Fence): settles.Closing {
  const claims = model.holds(held, [S.started]) ? [] : model.letGo(held)
  model.close(held.worker, claims)
  return { worker: held.worker, claims }
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

/** What a run does with its job, and a stale one tries. */
export const RUN_STEPS = [
  step(
    'start',
    fence,
    async (model, { db }, args) => {
      const held = fenceOf(model, args, 'once')
      if (held === undefined) return undefined
      return [model.start(held), (await claims.start(db, [held])).has(held.id)]
    },
    5,
  ),
  step(
    'read the start',
    fence,
    async (model, { db }, args) => {
      const held = fenceOf(model, args, 'once')
      if (held === undefined) return undefined
      return [model.holds(held, [S.started]), (await claims.readStart(db, [held])).has(held.id)]
    },
    2,
  ),
  step('go on as version 2', fence, async (model, { db }, args) => {
    const held = fenceOf(model, args, 'a')
    if (held === undefined) return undefined
    return [model.adopt(held, 2), await adopt(db, held, { version: 2, input: 'null', cursor: null })]
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
    5,
  ),
  step(
    'load the checkpoint',
    fence,
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const found = await loadCheckpoint(db, held)
      return [model.holds(held) ? (model.job(held.id).items ?? 0) : undefined, found?.items]
    },
    2,
  ),
  step(
    'fan out',
    fence,
    async (model, { db, nextId }, args) => {
      const held = fenceOf(model, args, 'a')
      if (held === undefined) return undefined
      const part = nextId()
      return [model.fanOut(held, part), await fanOut(db, held, [part])]
    },
    3,
  ),
  step(
    'end',
    fc.record({
      nth: number,
      stale: fc.boolean(),
      state: fc.constantFrom(20, 20, 21, 22, 23, 24, 25),
      crashed: fc.boolean(),
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
      const crashed = args.crashed && args.state === S.failed
      const expected = model.finish(held, args.state, keep, crashed)
      if (completes && args.tx) {
        const ended = inTransaction(db, async (client, nonce) => {
          await settles.finishInTransaction(db, client, held, { result: null, keep, nonce })
          return true
        })
        return [expected || 'refused', await ended]
      }
      const closing = { worker: held.worker, claims: model.letGo(held) }
      model.close(held.worker, closing.claims)
      const write = { id: held.id, run: held.run, state: args.state, result: null, error: null, keep, crashed }
      // And by its id what is not where it is said to lie; the place that the row has now is the hardest one for the fence.
      const short = completes && !traces && { ...write, tid: await placeOf(db, held.id) }
      if (short && (await settles.complete(db, [short], keep, closing)).size === 0) return [expected, true]
      return [expected, (await settles.finish(db, [write], closing)).has(held.id)]
    },
    5,
  ),
  step(
    'put away',
    fc.record({ nth: number, stale: fc.boolean(), state: fc.constantFrom(11, 12, 13, 14), crashed: fc.boolean() }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const closing = letGo(model, held)
      const expected = model.delay(held, args.state, args.crashed)
      const write = {
        ...held,
        state: args.state,
        until: UNTIL,
        failed: args.state === S.retrying,
        reason: null,
        error: null,
        crashed: args.crashed,
      }
      return [expected, (await settles.delay(db, [write], closing)).has(held.id)]
    },
    4,
  ),
  step(
    'hand back',
    fc.record({ nth: number, stale: fc.boolean(), interrupted: fc.boolean(), crashed: fc.boolean() }),
    async (model, { db }, args) => {
      const held = fenceOf(model, args)
      if (held === undefined) return undefined
      const closing = letGo(model, held)
      const expected = model.handBack(held, args.interrupted, args.crashed)
      const write = { ...held, interrupted: args.interrupted, crashed: args.crashed, reason: null }
      const back = await settles.handBack(db, [write], closing)
      return [expected, back.length === 1]
    },
    6,
  ),
]
