import fc from 'fast-check'
import { Marks } from '../../src/engine/marks.ts'
import { nameArray } from '../../src/store/arrays.ts'
import { claim as claimJobs, closeClaims, readClaims } from '../../src/store/claims.ts'
import { handBack } from '../../src/store/settles.ts'
import { liftStragglers, publishMarks, raiseFloor } from '../../src/store/upkeep.ts'
import * as workers from '../../src/store/workers.ts'
import { number, pick, type Real, sorted, step, workerOf } from './command.ts'
import type { Model } from './model.ts'
import { byId } from './store.ts'

const NONE = { worker: -1, claims: [] }
const QUEUE = 'q'
const DEATHS = fc.constantFrom('lost' as const, 'crashed' as const, 'interrupted' as const)
/** What each of the workers knows; the task `once` is one that starts at most once. */
const TASKS = [['a', 'a@2', 'b', 'once'], ['a@2', 'b', 'once'], ['a']] as const

export async function register(model: Model, { db, marks }: Real, slot: number): Promise<void> {
  const tasks = TASKS[slot] as readonly string[]
  const row = { name: 'w', build: 'b', release: '0', tasks, queues: [QUEUE], manifest: {}, lease: 3_600_000 }
  const key = await workers.registerWorker(db, row)
  model.workers.push({ key, tasks, alive: true, lease: 'held', claims: 0, open: new Map() })
  marks.set(key, new Marks(QUEUE, []))
}

/** What workers do, and what the others do with a worker that is gone. */
export const WORKER_STEPS = [
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
      const request = { worker: key, claim, queue: QUEUE, tasks: nameArray(worker.tasks), most: args.most, bands }
      const taken = await claimJobs(db, request)
      const actual = taken.map(({ id, run }) => ({ id, run, worker: key, claim }))
      // Sometimes the answer is lost: then only the ledger knows of it.
      if (args.lost > 0) {
        known.raise(taken)
        if (actual.length > 0) worker.open.set(claim, new Set(actual.map(({ id, run }) => `${id} ${run}`)))
      }
      // Which jobs, not in which order the answer names them: they run side by side.
      return [byId(expected), byId(actual)]
    },
    10,
  ),
  step('compare ledgers', number, async (model, { db }, nth) => {
    const { key, open } = workerOf(model, nth)
    const expected = model.strangers(key)
    const found = await readClaims(db, key, [...open.keys()])
    const claims = [...new Set(found.map(({ claim }) => claim))]
    for (const each of expected) model.handBack(each, false)
    model.close(key, claims, { onlyEmpty: true })
    await handBack(
      db,
      found.map(({ id, run }) => ({ id, run, interrupted: false, reason: null })),
      NONE,
    )
    await closeClaims(db, key, claims)
    return [sorted(expected.map(({ id, run }) => `${id} ${run}`)), sorted(found.map(({ id, run }) => `${id} ${run}`))]
  }),
  step(
    'register again',
    fc.nat({ max: 2 }),
    async (model, real, slot) => {
      await register(model, real, slot)
      return [true, true]
    },
    2,
  ),
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
  step('release', fc.record({ nth: number, outcome: DEATHS }), async (model, { db }, { nth, outcome }) => {
    const { key } = workerOf(model, nth)
    const expected = sorted(model.release(key, outcome))
    const { freed, left } = await workers.releaseWorker(db, key, { outcome, reason: 'test' })
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
      model.release(key, 'lost')
    }
    for (const { worker } of found) {
      await workers.revokeWorker(db, worker, false)
      await workers.releaseWorker(db, worker, { outcome: 'lost', reason: 'test' })
    }
    return [sorted(expected.map(({ key }) => `${key}`)), sorted(found.map(({ worker }) => `${worker}`))]
  }),
  step('retire', number, async (model, { db }, nth) => {
    const { key } = workerOf(model, nth)
    model.revoke(key, true)
    return [model.forget(key) === 0, await workers.retireWorker(db, key)]
  }),
  step('look for stragglers', number, async (model, { db, marks }, nth) => {
    const { key, tasks } = workerOf(model, nth)
    await publishMarks(db, tasks.join(), tasks, marks.get(key)?.risen() ?? [])
    // One after the other, nothing can be late: whatever is ready is above all marks.
    const floor = await raiseFloor(db, { reset: true, every: 0 })
    return [[], floor === undefined ? undefined : await liftStragglers(db, floor, 100)]
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
