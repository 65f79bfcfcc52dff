import { HoldfastError } from '../model/errors.ts'
import { suggestion } from '../model/name.ts'
import { type Lack, lackText } from '../model/unserved.ts'
import { listJobs } from '../store/list-jobs.ts'
import type { ListedJob } from '../store/report-rows.ts'
import { checkId, statesOf, wholeNumber } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { ago, count, table } from './format.ts'
import { colored, jobJson } from './job-view.ts'
import { errorColors, print, printJson, remark, short } from './output.ts'
import { openSession, type Session } from './session.ts'

interface ListOptions extends CommonOptions {
  readonly state?: string | undefined
  readonly task?: string | undefined
  readonly queue?: string | undefined
  readonly limit: string
  readonly after?: string | undefined
}

export async function list(options: ListOptions): Promise<void> {
  const limit = wholeNumber(options.limit, 1, 1_000, '--limit')
  if (options.after !== undefined) checkId(options.after)
  const { task, queue, after: before } = options
  const filter = { states: statesOf(options.state), task, queue, before, limit }

  await using session = await openSession(options)
  const page = await listJobs(session.db, filter)
  if (page.jobs.length === 0 && page.complete) refuseUnknown(session, options)
  if (options.json) {
    return printJson({
      jobs: page.jobs.map((job) => jobJson(job, page.lacks.get(job.id))),
      next: page.next ?? null,
      complete: page.complete,
    })
  }
  if (page.jobs.length > 0)
    print(
      table(
        HEAD,
        page.jobs.map((job) => row(job, page.lacks.get(job.id), page.now)),
      ),
    )
  else remark('No jobs.')
  if (!page.complete) remark('Older ones were not looked at, which would have taken long.')
  if (page.next !== undefined) remark(errorColors.dim(`More: --after ${page.next}`))
}

const HEAD = ['id', 'state', 'task', 'queue', 'when', 'run', 'details']

function row(job: ListedJob, lack: Lack | undefined, now: Date): string[] {
  const { id, state, task, queue, run } = job
  return [id, colored(state), short(task, 40), short(queue, 20), when(job, now), String(run), details(job, lack)]
}

function when({ createdAt, startedAt, dueAt, endedAt }: ListedJob, now: Date): string {
  if (dueAt !== undefined && dueAt > now) return `in ${ago(now, dueAt).replace(' ago', '')}`
  return ago(endedAt ?? startedAt ?? createdAt, now)
}

function details(job: ListedJob, lack: Lack | undefined): string {
  const { progress, reason, worker, failures, interruptions, endedAt } = job
  const parts: string[] = []
  if (progress !== undefined) parts.push(share(progress))
  if (worker !== undefined && endedAt === undefined) parts.push(`on ${short(worker, 40)}`)
  if (failures > 0) parts.push(`failures ${failures}`)
  if (interruptions > 0) parts.push(`interruptions ${interruptions}`)
  if (lack !== undefined) parts.push(short(lackText(lack, job), 200))
  if (reason !== undefined) parts.push(short(reason, 200))
  return parts.join(' · ')
}

function share({ items, total }: NonNullable<ListedJob['progress']>): string {
  if (total === undefined || total <= 0) return `${count(items)} items`
  return `${Math.floor((Math.min(items, total) / total) * 100)} % of ${count(total)}`
}

/** Nothing was found: was the name misspelt? */
function refuseUnknown({ loaded }: Session, { queue, task }: ListOptions): void {
  if (loaded === undefined) return
  const queues = [...loaded.internals.client.queues.keys()]
  const tasks = loaded.internals.registry.names
  if (queue !== undefined && !queues.includes(queue)) {
    throw new HoldfastError(
      'HF_QUEUE_NOT_FOUND',
      `No job is in a queue '${queue}', and none is declared.${suggestion(queue, queues)}`,
    )
  }
  if (task !== undefined && !tasks.includes(task)) {
    throw new HoldfastError(
      'HF_TASK_NOT_FOUND',
      `No job is of a task '${task}', and the app has none.${suggestion(task, tasks)}`,
    )
  }
}
