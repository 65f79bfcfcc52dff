import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { requirePrograms, startRabbit, startRedis } from './servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    redis: string
    rabbitmq: string
  }
}

export const CELERY = fileURLToPath(new URL('../../bench/.venv/bin/celery', import.meta.url))

/** One server of each kind for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await requirePrograms(CELERY, '/usr/bin/redis-server', '/usr/lib/rabbitmq/bin/rabbitmq-server', '/usr/bin/epmd')
  const [redis, rabbitmq] = await Promise.all([startRedis(), startRabbit()])
  project.provide('redis', redis.url)
  project.provide('rabbitmq', rabbitmq.url)
  return async () => {
    await Promise.all([redis.stop(), rabbitmq.stop()])
  }
}
