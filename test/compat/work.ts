import { expect } from 'vitest'
import { carry, walk } from '../fixtures/apps/pooled.ts'
import { until } from '../support/until.ts'
import type { Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import type { PooledStage } from './pooled.ts'

/** A worker process behind the pooler. `listen`: the address of the server, `off`, or empty for the pooler's own. */
export function startWorker(
  stage: PooledStage,
  witness: Witness,
  role: string,
  listen = 'off',
  env = {},
): Promise<WorkerProcess> {
  return startWorkerProcess({
    app: 'pooled',
    database: stage.database,
    schema: stage.schema,
    witness: witness.path,
    env: { ROLE: role, HOLDFAST_LISTEN_URL: listen, ...env },
  })
}

export async function effectsOf(stage: PooledStage, job: string): Promise<number[]> {
  const rows = await stage.sql<{ item: number }>('select item from effect where job = $1 order by item', [job])
  return rows.map(({ item }) => item)
}

export const upTo = (items: number) => Array.from({ length: items }, (_, item) => item)
export const by = (witness: Witness, what: string, role: string) =>
  witness.saw(what).filter((sighting) => sighting['role'] === role)

/** The long jobs, in the middle of their way on the worker called `role`. */
export async function underWay(stage: PooledStage, witness: Witness, role: string) {
  const jobs = stage.holdfast({ queues: { bulk: {} } })
  const carried = await jobs.enqueue(carry, { items: 600 })
  const walked = await jobs.enqueue(walk, { items: 1_000 })
  await until(() => by(witness, 'batch', role).length >= 10 && by(witness, 'step', role).length >= 50, {
    what: `iterations run on ${role}`,
  })
  return { jobs, carried, walked }
}

export async function expectWhole(
  stage: PooledStage,
  witness: Witness,
  { carried, walked }: Awaited<ReturnType<typeof underWay>>,
) {
  expect(await stage.ended(carried.id)).toMatchObject({ state: 'completed', failures: 0, items: 120 })
  expect(await effectsOf(stage, carried.id)).toEqual(upTo(600))
  expect(await stage.ended(walked.id)).toMatchObject({ state: 'completed', failures: 0, items: 1_000 })
  expect(new Set(witness.saw('step').map((sighting) => sighting['item'])).size).toBe(1_000)
}
