import { expect, test } from 'vitest'
import { cliJson, type Loose } from '../cli/support.ts'
import { square } from '../fixtures/apps/pooled.ts'
import { type PooledStage, usePooledStages } from './pooled.ts'

const stages = usePooledStages()

async function run(stage: PooledStage, args: readonly string[], env: Record<string, string> = {}): Promise<Loose> {
  return cliJson([...args, '--schema', stage.schema], { env: { DATABASE_URL: stage.database, ...env } })
}

test('the doctor says whether notifications arrive where workers listen', async () => {
  await using stage = await stages()
  const listen = async (env: Record<string, string>) =>
    (await run(stage, ['doctor'], env)).checks.find((each: Loose) => each.check === 'listen')

  expect(await listen({})).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('transaction pooler'),
    cure: expect.stringContaining('HOLDFAST_LISTEN_URL'),
  })
  expect(await listen({ HOLDFAST_LISTEN_URL: stage.direct })).toMatchObject({
    status: 'ok',
    message: 'Notifications arrive',
  })
  expect(await listen({ HOLDFAST_LISTEN_URL: 'off' })).toMatchObject({
    status: 'ok',
    message: expect.stringContaining('poll'),
  })
})

test('commands read and steer, and leave no setting behind', async () => {
  await using stage = await stages()
  await using fresh = await stages()
  await fresh.sql(`drop schema ${fresh.schema} cascade`)
  expect((await run(fresh, ['migrate'])).migrations).toContainEqual(expect.objectContaining({ number: 1 }))

  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const { id } = await jobs.enqueue(square, { n: 2 })
  expect((await run(stage, ['jobs', 'list'])).jobs).toMatchObject([{ id, state: 'ready' }])
  expect((await run(stage, ['queues'])).queues).toMatchObject([{ queue: 'default', ready: 1 }])
  expect(await run(stage, ['jobs', 'show', id])).toMatchObject({ id })
  await run(stage, ['jobs', 'cancel', id])
  expect(await stage.ended(id)).toMatchObject({ state: 'cancelled' })
  expect(await stage.leftovers()).toEqual([])
})
