import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stage, useStages } from '../support/stage.ts'
import { OPTIONS } from './options.ts'
import { PROCESSES } from './processes.ts'
import { RUNS } from './runs.ts'
import { VALUES } from './values.ts'
import { openYard, type Yard } from './yard.ts'

/** The table of bad inputs, as far as it concerns enqueueing and running. */
const TABLE = [...VALUES, ...OPTIONS, ...RUNS, ...PROCESSES]

const stages = useStages()
let stage: Stage
let yard: Yard
beforeAll(async () => {
  stage = await stages()
  yard = await openYard(stage)
})
afterAll(() => stage?.[Symbol.asyncDispose]())

test('the table is complete', () => {
  expect(TABLE.map(({ input }) => input)).toHaveLength(19)
  expect(new Set(TABLE.map(({ input }) => input))).toHaveProperty('size', 19)
})

test.each(TABLE)('$input', async ({ check }) => {
  await check(yard, stage, yard.worker)
  // Nothing is poisoned, nobody died: the next job runs, and no row is stuck.
  const good = await yard.jobs.enqueue(yard.anything, 'as ever')
  expect(await stage.ended(good.id)).toMatchObject({ state: 'completed' })
  const stuck = await stage.sql(
    'select task from :schema.job where state > 0 union all select worker::text from :schema.ledger',
  )
  expect(stuck).toEqual([])
})
