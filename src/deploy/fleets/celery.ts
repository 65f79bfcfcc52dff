import { HoldfastError } from '../../model/errors.ts'
import { shellWord } from '../../model/shell-word.ts'
import { askCelery, type CeleryCommand } from './celery-command.ts'
import {
  type CeleryJob,
  type CeleryQueue,
  type Replies,
  readJobs,
  readLateAck,
  readLater,
  readQueues,
  readStart,
  repliesOf,
} from './celery-replies.ts'
import {
  type Fetching,
  type Fleet,
  type FleetJob,
  type FleetLook,
  type FleetWork,
  ofAnotherStart,
  type Resumed,
  type Silent,
} from './fleet.ts'

export interface CelerySettings extends CeleryCommand {
  /** Workers that must answer, by name: Celery keeps no list of its own. */
  readonly expect?: readonly string[]
  /** Tasks that may be interrupted though they are not registered with `acks_late`. */
  readonly interruptible?: readonly string[]
}

const RESUME_ATTEMPTS = 3

/** A fleet of Celery workers, by Celery's own remote control: every broker that has one. */
export class CeleryFleet implements Fleet {
  readonly system = 'celery'
  readonly #settings: CelerySettings
  /** Everyone who has ever answered, or must: who falls silent later is missed. */
  readonly #known: Set<string>
  readonly #starts = new Map<string, { pid: number; at: number }>()
  readonly #late = new Map<string, ReadonlySet<string>>()

  constructor(settings: CelerySettings) {
    this.#settings = settings
    this.#known = new Set(settings.expect)
  }

  /** Asks everybody each time, so that workers which start during the wait are found, and paused as well. */
  async workers(): Promise<FleetLook> {
    const queues = await this.#inspect(['active_queues'], readQueues)
    const names = [...queues.keys()].sort()
    for (const name of names) this.#known.add(name)
    const fetching = names.filter((name) => (queues.get(name) ?? []).length > 0)
    await this.#learn(fetching)
    for (const [worker, list] of queues)
      for (const { name, autoDelete } of list) if (autoDelete) throw vanishing(worker, name)
    return {
      workers: names,
      fetching: fetching.flatMap((worker) =>
        (queues.get(worker) ?? []).map(({ name }) => this.#fetching(worker, name)),
      ),
      silent: [...this.#known].filter((name) => !queues.has(name)).map((who) => ({ who, why: 'does not answer' })),
    }
  }

  /** Which start of each worker it is, asked before its pause: a resume must not touch the queues of a later one. */
  async #learn(workers: readonly string[]): Promise<void> {
    if (workers.length === 0) return
    for (const [name, start] of await this.#inspect(['stats'], readStart, workers)) this.#starts.set(name, start)
  }

  #fetching(worker: string, queue: string): Fetching {
    const start = this.#starts.get(worker)
    return { worker, queue, ...(start !== undefined && { start }) }
  }

  async pause(queues: readonly Fetching[]): Promise<void> {
    for (const [queue, workers] of byQueue(queues)) await this.#control(['cancel_consumer', queue], workers)
  }

  /** In the order in which a task goes through a worker: asked the other way round, one could slip through between two answers. */
  async active(workers: readonly string[]): Promise<FleetWork> {
    await this.#learnLate(workers)
    const later = await this.#inspect(['scheduled'], readLater, workers)
    const reserved = await this.#inspect(['reserved'], readJobs, workers)
    const active = await this.#inspect(['active'], readJobs, workers)
    const now = Date.now()
    const running = jobsOf(active, (job, worker) => fleetJob(job, worker, 'running', now))
    const runs = new Set(running.map(({ id }) => id))
    const taken = jobsOf(reserved, (job, worker) => fleetJob(job, worker, 'taken', now)).filter(
      ({ id }) => !runs.has(id),
    )
    return {
      jobs: [...running, ...taken],
      later: jobsOf(later, ({ id, task, dueAt = 0 }, worker) => ({
        id,
        task,
        worker,
        dueMs: Math.max(0, dueAt - now),
      })),
      silent: workers
        .filter((name) => !later.has(name) || !reserved.has(name) || !active.has(name))
        .map((who) => ({ who, why: 'does not say what it runs' })),
    }
  }

  async #learnLate(workers: readonly string[]): Promise<void> {
    const unknown = workers.filter((name) => !this.#late.has(name))
    if (unknown.length === 0) return
    const found = await this.#inspect(['registered', 'acks_late'], readLateAck, unknown)
    for (const [worker, tasks] of found) this.#late.set(worker, new Set(tasks))
  }

  isInterruptible({ task, worker }: { readonly task: string; readonly worker: string }): boolean {
    return this.#settings.interruptible?.includes(task) === true || this.#late.get(worker)?.has(task) === true
  }

  /** Who does not answer is asked all the same, once: a frozen worker reads it when it wakes up. */
  async resume(held: readonly Fetching[]): Promise<Resumed> {
    if (held.length === 0) return { resumed: [], restarted: [], silent: [], left: [] }
    const starts = await this.#inspect(['stats'], readStart, workersOf(held))
    const queues = await this.#inspect(['active_queues'], readQueues, [...starts.keys()])
    const isGone = (each: Fetching) =>
      isOfAnEarlierStart(each, starts.get(each.worker ?? ''), queues.get(each.worker ?? ''))
    const restarted = new Set(workersOf(held.filter(isGone)))
    const all = held.filter((each) => !isGone(each))
    let left = all
    let asked = all
    for (let attempt = 1; attempt <= RESUME_ATTEMPTS && asked.length > 0; attempt++) {
      for (const [queue, workers] of byQueue(asked)) await this.#control(['add_consumer', queue], workers)
      const now = await this.#inspect(['active_queues'], readQueues, workersOf(asked))
      left = left.filter(({ worker = '', queue }) => !now.get(worker)?.some(({ name }) => name === queue))
      asked = left.filter(({ worker = '' }) => starts.has(worker))
    }
    const resumed = all.filter((each) => !left.includes(each))
    return { resumed, restarted: [...restarted], silent: silentOf(left), left }
  }

  async #inspect<T>(
    words: readonly string[],
    read: Parameters<typeof repliesOf<T>>[3],
    to?: readonly string[],
  ): Promise<Replies<T>> {
    if (to !== undefined && to.length === 0) return new Map()
    return repliesOf(await askCelery(this.#settings, 'inspect', words, to), this.#settings, words, read)
  }

  async #control(words: readonly string[], to: readonly string[]): Promise<void> {
    await askCelery(this.#settings, 'control', words, to)
  }

  readonly cannot = [
    'This pause does not expire. If nobody runs `finish` or `abort`, workers that were not restarted never fetch again.',
    'A worker that starts from now on fetches at once, with old code as well: Celery has no pause that covers it.',
    'Celery keeps no list of its workers: one that was too busy to answer is not known here (--expect NAME,NAME makes it count).',
    'Tasks that wait for a rate limit inside a worker are shown by no command of Celery, and are not waited for.',
  ]

  undo(held: readonly Fetching[]): string[] {
    const line = this.#settings.line.map(shellWord).join(' ')
    return [...byQueue(held)].map(
      ([queue, workers]) => `${line} control -d ${shellWord(workers.join(','))} add_consumer ${shellWord(queue)}`,
    )
  }
}

function byQueue(queues: readonly Fetching[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { queue, worker = '' } of queues) found.set(queue, [...(found.get(queue) ?? []), worker])
  return found
}

function jobsOf<T>(replies: Replies<readonly CeleryJob[]>, make: (job: CeleryJob, worker: string) => T): T[] {
  return [...replies].flatMap(([worker, jobs]) => jobs.map((job) => make(job, worker)))
}

function fleetJob({ id, task, startedAt }: CeleryJob, worker: string, state: FleetJob['state'], now: number): FleetJob {
  // The clocks of two machines.
  return { id, task, worker, state, ...(startedAt !== undefined && { runningMs: Math.max(0, now - startedAt) }) }
}

function workersOf(queues: readonly Fetching[]): string[] {
  return [...new Set(queues.map(({ worker = '' }) => worker))]
}

function isOfAnEarlierStart(
  held: Fetching,
  start: { readonly pid: number; readonly at: number } | undefined,
  queues: readonly CeleryQueue[] = [],
): boolean {
  if (held.start === undefined || start === undefined) return false
  if (held.start.pid !== start.pid) return true
  // In a container every start has the same pid. A paused worker that was not restarted fetches nothing.
  return queues.length > 0 && ofAnotherStart(held, { ...held, start })
}

function silentOf(left: readonly Fetching[]): Silent[] {
  return workersOf(left).map((who) => {
    const queues = left.filter(({ worker }) => worker === who).map(({ queue }) => queue)
    return { who, why: `did not say that it fetches from ${queues.join(', ')} again` }
  })
}

function vanishing(worker: string, queue: string): HoldfastError {
  const text = `Worker ${worker} fetches from '${queue}', a queue that the broker deletes, with its messages, when nobody fetches from it.`
  return new HoldfastError('HF_FLEET_QUEUE', text)
}
