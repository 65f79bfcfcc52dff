import { HoldfastError } from '../../model/errors.ts'
import { type BullJob, type BullQueue, loadBullMQ, redisOptions } from './bullmq-module.ts'
import type { Fetching, Fleet, FleetJob, FleetLook, FleetWork, Resumed } from './fleet.ts'

export interface BullSettings {
  readonly redis: string
  readonly queues: readonly string[]
  /** Of the keys; BullMQ's default is `bull`. */
  readonly prefix?: string
  /** Names of jobs that may be interrupted: BullMQ has no such declaration. */
  readonly interruptible?: readonly string[]
  /** The project whose BullMQ is used. */
  readonly folder: string
}

const ANSWER_WITHIN_MS = 10_000
const MOST_READ = 1_000

/**
 * A fleet of BullMQ workers. A queue is paused in Redis, where the script that gives out jobs looks: from the moment that the pause is
 * there, no worker is given a job, whatever it does, and one that starts later is not either. So Redis acknowledges for all of them, and
 * the list of active jobs is complete.
 */
export class BullFleet implements Fleet, AsyncDisposable {
  readonly system = 'bullmq'
  readonly #interruptible: readonly string[]
  readonly #queues: ReadonlyMap<string, BullQueue>
  readonly #checked = new Set<string>()
  #lastError: Error | undefined

  constructor({ redis, queues, prefix, interruptible = [], folder }: BullSettings) {
    this.#interruptible = interruptible
    const { Queue } = loadBullMQ(folder)
    // Looking at a queue that does not exist must not make it.
    const options = { connection: redisOptions(redis), skipMetasUpdate: true, ...(prefix !== undefined && { prefix }) }
    this.#queues = new Map(queues.map((name) => [name, new Queue(name, options)]))
    for (const queue of this.#queues.values()) queue.on('error', (error) => (this.#lastError = error))
  }

  async workers(): Promise<FleetLook> {
    const names = new Set<string>()
    const fetching: Fetching[] = []
    for (const [name, queue] of this.#queues) {
      const workers = await this.#ask(queue, 'workers', () => queue.getWorkers())
      await this.#check(queue, workers.length)
      for (const worker of workers) names.add(workerName(worker))
      if (!(await this.#ask(queue, 'pause', () => queue.isPaused()))) fetching.push({ queue: name })
    }
    return { workers: [...names].sort(), fetching, silent: [] }
  }

  /** A misspelt name would be paused, and never be missed. */
  async #check(queue: BullQueue, workers: number): Promise<void> {
    if (workers > 0 || this.#checked.has(queue.name)) return
    const version = await this.#ask(queue, 'version', async () => queue.getVersion?.() ?? '')
    if (version === null) {
      throw new HoldfastError(
        'HF_FLEET_QUEUE',
        `This Redis has no BullMQ queue '${queue.name}', and no worker serves it.`,
      )
    }
    this.#checked.add(queue.name)
  }

  async pause(queues: readonly Fetching[]): Promise<void> {
    for (const { queue } of queues) await this.#each(queue, (found) => found.pause())
  }

  async active(): Promise<FleetWork> {
    const jobs: FleetJob[] = []
    let more = 0
    for (const queue of this.#queues.values()) {
      const { read, unread } = await this.#activeOf(queue)
      const now = Date.now()
      // Undefined: it ended while it was read.
      jobs.push(...read.flatMap((job) => (job === undefined ? [] : [fleetJob(job, queue.name, now)])))
      more += unread
    }
    return { jobs, more, later: [], silent: [] }
  }

  /** Each job comes with its data, and this is asked twice a second: the first ones will do, if one of them is in the way. */
  async #activeOf(queue: BullQueue): Promise<{ read: readonly (BullJob | undefined)[]; unread: number }> {
    const first = await this.#ask(queue, 'active jobs', () => queue.getActive(0, MOST_READ - 1))
    if (first.length < MOST_READ) return { read: first, unread: 0 }
    const inTheWay = first.some((job) => job !== undefined && !this.isInterruptible({ task: job.name }))
    if (!inTheWay) return { read: await this.#ask(queue, 'active jobs', () => queue.getActive()), unread: 0 }
    const all = await this.#ask(queue, 'active jobs', () => queue.getActiveCount())
    return { read: first, unread: Math.max(0, all - first.length) }
  }

  isInterruptible({ task }: { readonly task: string }): boolean {
    return this.#interruptible.includes(task)
  }

  async resume(held: readonly Fetching[]): Promise<Resumed> {
    for (const { queue } of held) await this.#each(queue, (found) => found.resume())
    return { resumed: held, restarted: [], silent: [], left: [] }
  }

  /** What was paused by an earlier command with other `--queues` is unknown here. */
  async #each(name: string, what: (queue: BullQueue) => Promise<void>): Promise<void> {
    const queue = this.#queues.get(name)
    if (queue === undefined) {
      throw new HoldfastError(
        'HF_FLEET_QUEUE',
        `Queue '${name}' was paused before, and is not among the queues of this command.`,
      )
    }
    await this.#ask(queue, 'pause or resume', () => what(queue))
  }

  async #ask<T>(queue: BullQueue, what: string, call: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#lastError ?? new Error('no answer')), ANSWER_WITHIN_MS)
    })
    const answer = call()
    // It may fail long after nobody waits for it.
    answer.catch(() => {})
    try {
      return await Promise.race([answer, late])
    } catch (cause) {
      const why = cause instanceof Error ? cause.message || cause.name : String(cause)
      throw new HoldfastError('HF_FLEET_COMMAND', `Redis did not answer for queue '${queue.name}' (${what}): ${why}`, {
        cause,
      })
    } finally {
      clearTimeout(timer)
    }
  }

  readonly cannot = [
    'This pause does not expire. If nobody runs `finish` or `abort`, no worker fetches again, not even one that is started anew.',
    'BullMQ does not say which jobs may be interrupted: only those named with --interruptible are taken for it.',
    'A job whose worker died counts as running until BullMQ finds it stalled (30 s by default, and only if a worker is there to look).',
  ]

  undo(held: readonly Fetching[]): string[] {
    return held.map(({ queue }) => `await new Queue(${JSON.stringify(queue)}, { connection }).resume()`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = [...this.#queues.values()].map((queue) => queue.close().catch(() => {}))
    // close() may wait for a Redis that is gone.
    let timer: NodeJS.Timeout | undefined
    const bound = new Promise((resolve) => {
      timer = setTimeout(resolve, 2_000)
    })
    await Promise.race([Promise.all(closing), bound])
    clearTimeout(timer)
  }
}

/** `bull:cXVldWU=:w:name`, as BullMQ calls its connections; without a name, the address. */
function workerName(worker: Readonly<Record<string, string>>): string {
  const raw = worker['rawname'] ?? worker['name'] ?? ''
  const named = /:w:(.+)$/.exec(raw)?.[1]
  return named ?? worker['addr'] ?? raw
}

function fleetJob({ id = '?', name, processedOn, processedBy }: BullJob, queue: string, now: number): FleetJob {
  return {
    id,
    task: name,
    worker: processedBy ?? '',
    state: 'running',
    queue,
    ...(processedOn !== undefined && { runningMs: Math.max(0, now - processedOn) }),
  }
}
