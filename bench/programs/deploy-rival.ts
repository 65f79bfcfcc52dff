/** A worker of another system in the `deploy` case: a plain handler, and the stop that its docs show. `deploy-rival.ts <system>` */
import { setTimeout as sleep } from 'node:timers/promises'
import { ITEM_MS, ITEMS, itemDone } from '../support/work-file.ts'
import { QUEUE, SLOTS } from '../systems/deploy/system.ts'

const { BENCH_DATABASE: database = '', BENCH_REDIS: redis = '' } = process.env

async function job({ n }: { readonly n: number }): Promise<void> {
  for (let item = 0; item < ITEMS; item++) {
    await sleep(ITEM_MS)
    itemDone(n, item)
  }
}

const systems: Readonly<Record<string, () => Promise<void>>> = {
  async bullmq() {
    const { Worker } = await import('bullmq')
    const { hostname: host, port } = new URL(redis)
    const worker = new Worker(QUEUE, (each) => job(each.data), {
      connection: { host, port: Number(port) },
      concurrency: SLOTS,
    })
    worker.on('error', (error) => console.error(error.message))
    process.once('SIGTERM', () => void worker.close().then(() => process.exit(0)))
  },

  async 'pg-boss'() {
    const { PgBoss } = await import('pg-boss')
    const boss = new PgBoss({ connectionString: database })
    boss.on('error', (error) => console.error(error.message))
    await boss.start()
    await boss.work(QUEUE, { localConcurrency: SLOTS }, async ([each]) => {
      if (each !== undefined) await job(each.data as { n: number })
    })
    process.once('SIGTERM', () => void boss.stop({ graceful: true, timeout: 30_000 }).then(() => process.exit(0)))
  },

  /** Handles the signals itself. */
  async 'graphile-worker'() {
    const { run, Logger } = await import('graphile-worker')
    await run({
      preset: { worker: { connectionString: database, concurrentJobs: SLOTS, logger: new Logger(() => () => {}) } },
      taskList: Object.fromEntries([[QUEUE, job]]),
      noHandleSignals: false,
    })
  },
}

await systems[process.argv[2] ?? '']?.()
