import { formatDuration } from '../model/duration.ts'
import { isHoldfastError } from '../model/errors.ts'
import { taskKey } from '../model/task-key.ts'
import type { Unserved } from '../model/unserved.ts'
import type { StateName } from '../store/codes.ts'
import { type Bounded, type QueueReport, queueReport } from '../store/reports.ts'
import { unservedJobs } from '../store/unserved.ts'
import type { CommonOptions } from './command.ts'
import { count, plural, table } from './format.ts'
import { colors, print, printJson, remark, short } from './output.ts'
import { openSession } from './session.ts'

const WAITING = ['scheduled', 'retrying', 'snoozed', 'paused', 'parked'] as const satisfies StateName[]

export async function showQueues(options: CommonOptions): Promise<void> {
  await using session = await openSession(options)
  const declared = [...(session.loaded?.internals.client.queues.keys() ?? [])]
  const { queues, waitingComplete } = await queueReport(session.db, declared)
  const unserved = await unservedJobs(session.db).catch(slow)
  const of = (queue: string) => (unserved ?? []).filter((each) => each.queue === queue)
  if (options.json) {
    const listed = queues.map((queue) =>
      queueJson(queue, of(queue.queue), session.loaded && declared.includes(queue.queue)),
    )
    return printJson({ queues: listed, waitingComplete, unservedKnown: unserved !== undefined })
  }
  if (queues.length === 0) return remark('No queues: no config declares one, and no job is in one.')
  print(
    table(
      HEAD,
      queues.map((queue) =>
        row(queue, of(queue.queue), session.loaded === undefined || declared.includes(queue.queue)),
      ),
    ),
  )
  if (!waitingComplete) remark('So many jobs wait that not all of them were counted.')
  if (unserved === undefined)
    remark('Whether jobs wait for a worker that takes them is not known: counting them took too long.')
}

/** The rest is worth knowing all the same. */
function slow(error: unknown): undefined {
  if (!isHoldfastError(error, 'HF_REPORT_SLOW')) throw error
}

const HEAD = ['queue', 'ready', 'oldest', 'running', 'workers', ...WAITING, 'note']

function row(report: QueueReport, lacking: readonly Unserved[], declared: boolean): string[] {
  const { queue, ready, oldestMs, running, waiting, workers } = report
  const unserved = workers === 0 && ready.count > 0
  return [
    short(queue, 40),
    bounded(ready),
    oldestMs === undefined ? '' : formatDuration(oldestMs),
    count(running),
    unserved ? colors.red('0') : count(workers),
    ...WAITING.map((state) => count(waiting[state] ?? 0)),
    [...(unserved ? ['no worker serves it'] : lacking.map(lacks)), ...(declared ? [] : ['not declared'])].join(', '),
  ]
}

function lacks({ task, version, jobs }: Unserved): string {
  return `no worker takes ${short(taskKey(task, version), 60)}: ${plural(jobs, 'job')}`
}

function bounded({ count: n, more }: Bounded): string {
  return `${count(n)}${more ? '+' : ''}`
}

function queueJson(report: QueueReport, lacking: readonly Unserved[], declared?: boolean): object {
  const { queue, ready, oldestMs, running, waiting, workers } = report
  return {
    queue,
    /** null: there was no config to ask. */
    declared: declared ?? null,
    ready: ready.count,
    readyIsMore: ready.more,
    oldestMs: oldestMs === undefined ? null : Math.round(oldestMs),
    running,
    workers,
    unserved: lacking.map(({ task, version, jobs, lack }) => ({ task, version, jobs, lack })),
    waiting: Object.fromEntries(WAITING.map((state) => [state, waiting[state] ?? 0])),
  }
}
