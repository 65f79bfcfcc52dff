import { type CeleryCommand, malformed } from './celery-command.ts'

/** What each worker answered, by its name. */
export type Replies<T> = ReadonlyMap<string, T>

type Loose = Readonly<Record<string, unknown>>
type Read<T> = (answer: unknown, refuse: (what: string) => never) => T

/** Answers of `inspect`: an object from worker to answer. None: nobody replied. */
export function repliesOf<T>(
  reply: unknown,
  command: CeleryCommand,
  words: readonly string[],
  read: Read<T>,
): Replies<T> {
  const refuse = (what: string): never => {
    throw malformed(command, ['inspect', ...words], what)
  }
  if (reply === undefined) return new Map()
  if (!isObject(reply)) return refuse('no object of workers')
  return new Map(
    Object.entries(reply).map(([worker, answer]) => {
      if (isObject(answer) && 'error' in answer) return refuse(`${worker}: ${JSON.stringify(answer['error'])}`)
      return [worker, read(answer, (what) => refuse(`${worker}: ${what}`))]
    }),
  )
}

export interface CeleryQueue {
  readonly name: string
  readonly autoDelete: boolean
}

export const readQueues: Read<readonly CeleryQueue[]> = (answer, refuse) =>
  listOf(answer, refuse).map((queue) => ({
    name: textOf(queue, 'name', refuse),
    autoDelete: queue['auto_delete'] === true,
  }))

export const readStart: Read<{ readonly pid: number; readonly at: number }> = (answer, refuse) => {
  if (!isObject(answer) || typeof answer['pid'] !== 'number') return refuse('stats without a pid')
  // An old Celery does not tell its uptime: then the pid alone has to do.
  const uptime = answer['uptime']
  return { pid: answer['pid'], at: typeof uptime === 'number' ? Math.round(Date.now() - uptime * 1_000) : 0 }
}

export interface CeleryJob {
  readonly id: string
  readonly task: string
  /** Wall time of the worker, ms. */
  readonly startedAt?: number
  readonly dueAt?: number
}

export const readJobs: Read<readonly CeleryJob[]> = (answer, refuse) =>
  listOf(answer, refuse).map((job) => jobOf(job, refuse))

/** Of `inspect scheduled`: with the time at which each is due. */
export const readLater: Read<readonly CeleryJob[]> = (answer, refuse) =>
  listOf(answer, refuse).map((entry) => {
    const { request, eta } = entry as { request?: unknown; eta?: unknown }
    if (!isObject(request)) return refuse('a scheduled task without a request')
    const dueAt = typeof eta === 'number' ? eta * 1_000 : Date.parse(String(eta))
    // Unreadable: as if it were due now, which is the side that waits.
    return { ...jobOf(request, refuse), dueAt: Number.isNaN(dueAt) ? 0 : dueAt }
  })

/** Of `inspect registered acks_late`: `late [acks_late=True]`. @returns the names of those that have it. */
export const readLateAck: Read<readonly string[]> = (answer, refuse) => {
  if (!Array.isArray(answer)) return refuse('no list of tasks')
  return answer.flatMap((line: unknown) => {
    const found = /^(\S+) \[(.*)\]$/.exec(String(line))
    return found !== null && /\backs_late=True\b/.test(found[2] ?? '') ? [found[1] as string] : []
  })
}

function jobOf(job: Loose, refuse: (what: string) => never): CeleryJob {
  const started = job['time_start']
  return {
    id: textOf(job, 'id', refuse),
    task: textOf(job, typeof job['name'] === 'string' ? 'name' : 'type', refuse),
    ...(typeof started === 'number' && { startedAt: started * 1_000 }),
  }
}

function listOf(answer: unknown, refuse: (what: string) => never): Loose[] {
  if (!Array.isArray(answer) || !answer.every(isObject)) return refuse('no list of objects')
  return answer
}

function textOf(object: Loose, key: string, refuse: (what: string) => never): string {
  const value = object[key]
  return typeof value === 'string' ? value : refuse(`no '${key}'`)
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
