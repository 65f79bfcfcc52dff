import { beginDeploy, type NewDeploy } from '../../../src/store/deploys.ts'
import { registerWorker, type WorkerRow } from '../../../src/store/workers.ts'
import { test as base, type Store } from './support.ts'

/** Its turn comes before anything else: tests of other statements register workers at the same time, in the same database. */
export const test = base.extend<{ store: Store }>({
  store: async ({ store }, use) => {
    await store.db.run('lock_gate', [])
    await use(store)
  },
})

/** A deploy of everything, which holds for a minute. */
export function deployed(store: Store, given: Partial<NewDeploy> = {}) {
  return beginDeploy(store.db, {
    ...{
      owner: 'anna',
      reason: 'release',
      build: undefined,
      token: 'secret',
      require: 'interruptible',
      expires: 60_000,
    },
    ...given,
  })
}

export function registered(store: Store, given: Partial<WorkerRow> = {}): Promise<number> {
  return registerWorker(store.db, {
    ...{ name: 'host:1', build: 'old', release: '0', tasks: ['common'], queues: ['mine'], manifest: {}, lease: 60_000 },
    ...given,
  })
}

/** Whether a worker may claim, and which deploy says that it may not. */
export async function holdOf(store: Store, key: number) {
  const [row] = await store.rows<{ claiming: boolean; deploy: number | null; heard: number | null }>(
    'select claiming, deploy, heard from holdfast.worker where key = $1',
    [key],
  )
  return row
}
