import { formatDuration } from './duration.ts'
import { printable } from './printable.ts'
import { nameInKey, taskKey } from './task-key.ts'

/** What no live worker has that a ready job needs. It waits for one that has, and is never failed for it. */
export type Lack = 'queue' | 'task' | 'version'

/** Ready jobs that no live worker takes. */
export interface Unserved {
  readonly queue: string
  readonly task: string
  readonly version: number
  readonly jobs: number
  readonly lack: Lack
}

/** What a ready job waits for; undefined: some live worker takes it. */
export function lackOf(
  job: { readonly queue: string; readonly task: string; readonly version: number },
  workers: readonly { readonly live: boolean; readonly queues: readonly string[]; readonly tasks: readonly string[] }[],
): Lack | undefined {
  const serving = workers.filter(({ live, queues }) => live && queues.includes(job.queue))
  if (serving.length === 0) return 'queue'
  const takes = new Set(serving.flatMap(({ tasks }) => tasks))
  if (takes.has(taskKey(job.task, job.version))) return undefined
  return [...takes].some((key) => nameInKey(key) === job.task) ? 'version' : 'task'
}

/** `no live worker takes version 2 of task send`: stands behind whatever waits. */
export function lackText(lack: Lack, { queue, task, version }: Omit<Unserved, 'jobs' | 'lack'>): string {
  if (lack === 'queue') return `no live worker serves queue ${printable(queue)}`
  const what = lack === 'task' ? `has task ${printable(task)}` : `takes version ${version} of task ${printable(task)}`
  return `no live worker of queue ${printable(queue)} ${what}`
}

/** What somebody should do about it. */
export function lackCure(lack: Lack): string {
  if (lack === 'queue') return 'Start a worker with `--queues` that name it, or without `--queues`.'
  const other =
    lack === 'task'
      ? 'give its old name as one of the `aliases` of the new one'
      : 'give the task an `upgrade` from that version'
  return `Deploy workers with the ${lack}, ${other}, or cancel the jobs.`
}

/** Said by a worker when it has gone on for long enough. `more`: so many were looked at, and there may be more. */
export function unservedText(found: Unserved, ms: number, more: boolean): string {
  const jobs = `${found.jobs}${more ? ' jobs or more wait' : found.jobs === 1 ? ' job waits' : ' jobs wait'}`
  return `${jobs} for a worker, for ${formatDuration(ms)}: ${lackText(found.lack, found)}. ${lackCure(found.lack)}`
}
