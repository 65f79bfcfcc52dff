import { fileURLToPath } from 'node:url'
import { number, type Server, withClient } from '../../support/server.ts'
import { installedVersion } from '../installed.ts'
import { type Census, type DeploySystem, QUEUE } from './system.ts'

const PROGRAM = fileURLToPath(new URL('../../programs/deploy-rival.ts', import.meta.url))

const command = (name: string) => [process.execPath, '--no-warnings', PROGRAM, name]
const missing = (name: string) => (installedVersion(name) === undefined ? `${name} is not installed` : undefined)
const numbers = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

export function pgBoss(server: Server): DeploySystem {
  let url = ''
  return {
    name: 'pg-boss',
    missing: missing('pg-boss'),
    version: installedVersion('pg-boss') ?? '',
    settings: 'a plain handler, localConcurrency 4, everything else as it comes; boss.stop() on SIGTERM',
    async prepare(count) {
      url = await server.create('deploy_pg_boss')
      const { PgBoss } = await import('pg-boss')
      const boss = new PgBoss({ connectionString: url })
      await boss.start()
      await boss.createQueue(QUEUE, {})
      await boss.insert(
        QUEUE,
        numbers(count).map((data) => ({ data })),
      )
      await boss.stop({ graceful: true, timeout: 30_000 })
    },
    worker: () => ({ command: command('pg-boss'), env: { BENCH_DATABASE: url } }),
    census: () =>
      withClient(url, async (client) => ({
        stored: await number(client, `select count(*) from pgboss.job where name = '${QUEUE}' and state < 'completed'`),
        failed: await number(client, `select count(*) from pgboss.job where name = '${QUEUE}' and state > 'completed'`),
      })),
    close: () => server.drop('deploy_pg_boss'),
  }
}

export function graphileWorker(server: Server): DeploySystem {
  let url = ''
  return {
    name: 'graphile-worker',
    missing: missing('graphile-worker'),
    version: installedVersion('graphile-worker') ?? '',
    settings: 'a plain task, concurrentJobs 4, everything else as it comes; its own signal handlers',
    async prepare(count) {
      url = await server.create('deploy_graphile')
      const { makeWorkerUtils, Logger } = await import('graphile-worker')
      const utils = await makeWorkerUtils({ connectionString: url, logger: new Logger(() => () => {}) })
      await utils.migrate()
      await utils.addJobs(numbers(count).map((payload) => ({ identifier: QUEUE, payload })))
      await utils.release()
    },
    worker: () => ({ command: command('graphile-worker'), env: { BENCH_DATABASE: url } }),
    census: () =>
      withClient(url, async (client) => {
        const jobs = 'select count(*) from graphile_worker._private_jobs where attempts'
        const failed = await number(client, `${jobs} >= max_attempts and locked_at is null`)
        return { failed, stored: (await number(client, `${jobs} >= 0`)) - failed }
      }),
    close: () => server.drop('deploy_graphile'),
  }
}

export function bullmq(redis: string | undefined): DeploySystem {
  const open = async () => {
    const { Queue } = await import('bullmq')
    const { hostname: host, port } = new URL(redis ?? '')
    return new Queue(QUEUE, { connection: { host, port: Number(port) } })
  }
  return {
    name: 'bullmq',
    missing: missing('bullmq') ?? (redis === undefined ? 'redis-server is not installed' : undefined),
    version: installedVersion('bullmq') ?? '',
    settings:
      'a plain processor, concurrency 4, everything else as it comes; worker.close() on SIGTERM; Redis without persistence',
    async prepare(count) {
      const queue = await open()
      await queue.obliterate({ force: true })
      await queue.addBulk(numbers(count).map((data) => ({ name: QUEUE, data })))
      await queue.close()
    },
    worker: () => ({ command: command('bullmq'), env: { BENCH_REDIS: redis ?? '' } }),
    async census(): Promise<Census> {
      const queue = await open()
      const { failed = 0, completed = 0, ...others } = await queue.getJobCounts()
      await queue.close()
      void completed
      return { failed, stored: Object.values(others).reduce((sum, count) => sum + count, 0) }
    },
    close: async () => {},
  }
}
