import { expect } from 'vitest'
import type { Stage, StagedWorker } from '../support/stage.ts'
import type { Yard } from './yard.ts'

/** One row of the table of bad inputs: what is given, and what must come of it. */
export interface Row {
  /** As the table calls it. */
  readonly input: string
  readonly check: (yard: Yard, stage: Stage, worker: StagedWorker) => Promise<void>
}

/** Refused when it is enqueued, one by one, in bulk and from inside a job, with a code and the place of the fault. */
export async function refused(yard: Yard, input: unknown, code: string, place: string): Promise<void> {
  const { jobs, anything, relay } = yard
  const expected = { name: 'HoldfastError', code, message: expect.stringContaining(place) }
  await expect(jobs.enqueue(anything, input), `enqueue of ${place}`).rejects.toMatchObject(expected)
  await expect(jobs.enqueueMany(anything, [input]), `enqueueMany of ${place}`).rejects.toMatchObject(expected)
  const relayed = await yard.stage.ended((await relay(input)).id)
  expect(relayed, `ctx.enqueue of ${place}`).toMatchObject({ state: 'failed', error: { code } })
  expect(relayed.error?.message).toContain(place)
}

/** Arrives at the worker exactly as it was given. */
export async function carried(yard: Yard, input: unknown): Promise<void> {
  const { id } = await yard.jobs.enqueue(yard.anything, input)
  expect(await yard.stage.ended(id)).toMatchObject({ state: 'completed' })
  expect(yard.received.get(id)).toStrictEqual(input)
}
