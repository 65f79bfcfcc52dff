import { createRequire } from 'node:module'
import path from 'node:path'
import { HoldfastError } from '../../model/errors.ts'

/** The few words of BullMQ that are used here; versions 4 to 6 have them. */
export interface BullQueue {
  readonly name: string
  pause(): Promise<void>
  resume(): Promise<void>
  isPaused(): Promise<boolean>
  getActive(start?: number, end?: number): Promise<readonly (BullJob | undefined)[]>
  getActiveCount(): Promise<number>
  getWorkers(): Promise<readonly Readonly<Record<string, string>>[]>
  getVersion?(): Promise<string | null>
  close(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface BullJob {
  readonly id?: string
  readonly name: string
  /** Wall time of the worker that took it, ms. */
  readonly processedOn?: number
  /** The `name` option of its worker, where it has one. */
  readonly processedBy?: string
}

interface BullModule {
  readonly Queue: new (name: string, options: object) => BullQueue
}

/** The BullMQ that the project itself uses: ours could speak another version's Lua to the same Redis. */
export function loadBullMQ(folder: string): BullModule {
  try {
    const require = createRequire(path.join(folder, 'package.json'))
    return require('bullmq') as BullModule
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new HoldfastError(
      'HF_FLEET_MISSING',
      `There is no package 'bullmq' that could be loaded from ${folder}: ${why}`,
      { cause },
    )
  }
}

/** Options of a connection that fails at once instead of waiting for a Redis that is not there. */
export function redisOptions(url: string): object {
  const { protocol, hostname, port, username, password, pathname } = parseUrl(url)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
    connectTimeout: 5_000,
    maxRetriesPerRequest: 1,
    retryStrategy: (times: number) => Math.min(times * 200, 1_000),
  }
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed !== undefined && /^rediss?:$/.test(parsed.protocol) && /^(\/\d*)?$/.test(parsed.pathname)) return parsed
  throw new HoldfastError('HF_CONFIG', "The address of Redis must look like 'redis://user:password@host:6379/0'.")
}
