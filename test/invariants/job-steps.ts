import fc from 'fast-check'
import { enqueue } from '../../src/store/enqueue.ts'
import { cancel, pauseJob, resumeJob, retryJob } from '../../src/store/operations.ts'
import { FROM_THE_BEGINNING, promote } from '../../src/store/upkeep.ts'
import { jobOf, number, pick, step } from './command.ts'
import { S, waits } from './facts.ts'

const BY = { reason: 'why', owner: 'me' }
const QUEUE = 'q'
const HOUR = 3_600_000

/** What people ask for, and what time brings. */
export const JOB_STEPS = [
  step(
    'enqueue',
    fc.record({
      task: fc.constantFrom('a', 'b', 'once'),
      version: fc.constantFrom(1, 1, 2),
      priority: fc.constantFrom(3, 5),
      later: fc.boolean(),
    }),
    async (model, real, args) => {
      const id = real.nextId()
      const after = args.later ? ({ kind: 'delay', ms: HOUR } as const) : null
      const version = args.task === 'a' ? args.version : 1
      const job = {
        id,
        queue: QUEUE,
        task: args.task,
        version,
        priority: args.priority,
        input: null,
        expires: null,
        after,
      }
      model.add(id, args.task, args.priority, args.later ? S.scheduled : S.ready, version)
      await enqueue(real.db, [job], null)
      return [true, true]
    },
    10,
  ),
  step('cancel', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.cancel(id), await cancel(db, id, BY)]
  }),
  step('pause', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.pause(id), await pauseJob(db, id, BY, HOUR)]
  }),
  step('resume', number, async (model, { db }, nth) => {
    const id = jobOf(model, nth)
    return id === undefined ? undefined : [model.resume(id), (await resumeJob(db, id)) !== undefined]
  }),
  step('retry by hand', number, async (model, { db, nextId }, nth) => {
    const id = jobOf(model, nth)
    if (id === undefined) return undefined
    const fresh = nextId()
    return [model.retry(id, fresh), (await retryJob(db, id, fresh))?.id]
  }),
  step(
    'promote',
    fc.array(number, { maxLength: 3 }),
    async (model, { db, stage }, chosen) => {
      const waiting = [...model.jobs.values()].filter(({ state }) => waits(state))
      const due = [...new Set(chosen.map((nth) => pick(waiting, nth)?.id).filter((id) => id !== undefined))]
      await stage.sql(`update :schema.waiting set due_at = clock_timestamp() where id = any($1)`, [due])
      const expected = model.promote(due)
      const ready = await promote(db, 100, FROM_THE_BEGINNING)
      return [expected, ready.reduce((sum, each) => sum + each.jobs, 0)]
    },
    3,
  ),
]
