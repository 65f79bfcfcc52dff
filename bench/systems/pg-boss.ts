import { installedVersion } from './installed.ts'
import { inCalls, type Payload, type System } from './system.ts'

const QUEUE = 'noop'

async function open(url: string, options: { useListenNotify?: boolean } = {}) {
  const { PgBoss } = await import('pg-boss')
  const boss = new PgBoss({ connectionString: url, max: 10, ...options })
  boss.on('error', (error) => console.error(`pg-boss: ${error.message}`))
  await boss.start()
  return boss
}

export const pgBoss: System = {
  name: 'pg-boss',
  get version() {
    return installedVersion('pg-boss') ?? 'not installed'
  },
  defaults: 'batchSize 1, localConcurrency 1, poll 2 s',

  async prepare(url, idle = false) {
    const boss = await open(url)
    await boss.createQueue(QUEUE, { notify: idle })
    await boss.stop({ graceful: true, timeout: 30_000 })
  },

  async produce(url) {
    const boss = await open(url)
    return {
      one: async (payload) => void (await boss.send(QUEUE, payload)),
      many: (payloads) =>
        inCalls(payloads, (batch) =>
          boss.insert(
            QUEUE,
            batch.map((data) => ({ data })),
          ),
        ),
      close: () => boss.stop({ graceful: true, timeout: 30_000 }),
    }
  },

  /** Batches, fetched again at once when they were full; for latency, its LISTEN. */
  async work(url, { inFlight, idle = false, more = {} }, onJob) {
    const boss = await open(url, { useListenNotify: idle })
    const { local = 2, ...rest } = more
    const localConcurrency = Number(local)
    const quick =
      inFlight === undefined
        ? {}
        : idle
          ? { localConcurrency: Math.min(inFlight, 10) }
          : {
              batchSize: Math.floor(inFlight / localConcurrency),
              localConcurrency,
              burstWhenBatchFull: true,
              pollingIntervalSeconds: 0.5,
            }
    await boss.work(QUEUE, { ...quick, ...rest }, async (jobs) => {
      for (const job of jobs) onJob(job.data as Payload)
    })
    return { stop: () => boss.stop({ graceful: true, timeout: 30_000 }) }
  },

  unfinished: `select count(*) from pgboss.job where name = '${QUEUE}' and state < 'completed'`,
}
