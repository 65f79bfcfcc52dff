import { isHoldfastError } from '../model/errors.ts'
import { taskKey } from '../model/task-key.ts'
import { type Unserved, unservedText } from '../model/unserved.ts'
import type { Database } from '../store/db.ts'
import { findUnserved, type Waiting } from '../store/unserved.ts'
import { monotonic } from './monotonic.ts'
import { Service } from './service.ts'

export interface UnservedOptions {
  readonly db: Database
  /** This worker's key, once it has one. */
  readonly worker: () => number | undefined
  /** ms that ready jobs may wait for a worker that takes them before they are named. */
  readonly most: number
  readonly log: (level: 'info' | 'warn', message: string, data: object) => void
  readonly onTrouble: (error: unknown) => void
}

interface Alert {
  found: Unserved
  /** monotonic ms */
  saidAt: number
}

const LOOKS_EVERY_MS = 10_000
const LEAST_EVERY_MS = 250
const SLOW_MOST = 3
const AGAIN_AFTER_MS = 15 * 60_000

/**
 * Watches, for the whole fleet, over jobs that no live worker takes: of an unknown task, of a version that nobody takes, in a queue that
 * nobody serves. They wait, and somebody should know. One worker looks, the oldest; when it leaves, the next one begins.
 */
export class UnservedWatch {
  readonly #options: UnservedOptions
  readonly #service: Service
  /** Seen at the last look, for too long or not: what is seen once only may be a deploy that is just under way. */
  #seen = new Set<string>()
  /** Looks in a row that took too long. */
  #slow = 0
  #alerts = new Map<string, Alert>()

  constructor(options: UnservedOptions) {
    const { most, onTrouble } = options
    this.#options = options
    const every = Math.min(LOOKS_EVERY_MS, Math.max(LEAST_EVERY_MS, most / 4))
    this.#service = new Service(async () => {
      await this.#look()
      return every
    }, onTrouble)
  }

  /** What has been waiting for too long; empty where another worker looks. */
  get alerts(): readonly Unserved[] {
    return [...this.#alerts.values()].map(({ found }) => found)
  }

  start(): void {
    this.#service.start(Math.random() * LEAST_EVERY_MS)
  }

  async stop(): Promise<void> {
    await this.#service.stop()
  }

  async #look(): Promise<void> {
    const { db, worker, most } = this.#options
    const key = worker()
    if (key === undefined) return
    let found: Waiting[] | undefined
    try {
      found = await findUnserved(db, key)
    } catch (error) {
      if (!isHoldfastError(error, 'HF_REPORT_SLOW')) throw error
      // Nobody knows: what was said stands. Slow once is a busy moment; always, and nobody would ever be told of such jobs.
      if (++this.#slow >= SLOW_MOST) this.#options.onTrouble(error)
      return
    }
    this.#slow = 0
    const seen = new Map((found ?? []).map((each) => [nameOf(each), each]))
    for (const [name, each] of seen) if (each.ms >= most && this.#seen.has(name)) this.#say(name, each)
    for (const [name, { found: gone }] of this.#alerts) {
      if (seen.has(name)) continue
      this.#alerts.delete(name)
      // Another worker says so, if it is the one to look now.
      if (found !== undefined)
        this.#options.log('info', `Jobs of ${name} do not wait for a worker any more`, dataOf(gone))
    }
    this.#seen = new Set(seen.keys())
  }

  #say(name: string, found: Waiting): void {
    const now = monotonic()
    const before = this.#alerts.get(name)
    const again = before !== undefined && now - before.saidAt < AGAIN_AFTER_MS
    this.#alerts.set(name, { found, saidAt: again ? before.saidAt : now })
    if (!again) this.#options.log('warn', unservedText(found, found.ms, found.more), dataOf(found))
  }
}

function nameOf({ queue, task, version }: Unserved): string {
  return `task ${taskKey(task, version)} in queue ${queue}`
}

function dataOf({ queue, task, version, jobs, lack }: Unserved): object {
  return { unserved: lack, queue, task, version, jobs }
}
