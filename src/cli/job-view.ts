import type { AppInternals } from '../internals.ts'
import { isTerminal } from '../model/states.ts'
import type { Lack } from '../model/unserved.ts'
import { type Worry, worryOfLength, worryOfStops } from '../model/worry.ts'
import type { StateName } from '../store/codes.ts'
import type { ListedJob } from '../store/report-rows.ts'
import type { JobDetails } from '../store/reports.ts'
import { etaMs } from './format.ts'
import { colors } from './output.ts'

/** Green: well; yellow: waits for something; red: somebody should look. */
export function colored(state: StateName): string {
  if (state === 'completed' || state === 'running' || state === 'started') return colors.green(state)
  if (state === 'failed' || state === 'lost' || state === 'interrupted') return colors.red(state)
  return state === 'ready' ? state : colors.yellow(state)
}

/** A job in every `--json`: what is not known is null, so that the shape is always the same. */
export function jobJson(job: ListedJob, lack: Lack | undefined): object {
  const { progress } = job
  return {
    id: job.id,
    task: job.task,
    version: job.version,
    queue: job.queue,
    state: job.state,
    priority: job.priority,
    run: job.run,
    failures: job.failures,
    interruptions: job.interruptions,
    losses: job.losses,
    crashes: job.crashes,
    createdAt: job.createdAt,
    startedAt: job.startedAt ?? null,
    dueAt: job.dueAt ?? null,
    endedAt: job.endedAt ?? null,
    reason: job.reason ?? null,
    lack: lack ?? null,
    worker: job.worker ?? null,
    progress: progress === undefined ? null : progressJson(progress),
  }
}

export function progressJson(progress: NonNullable<ListedJob['progress']>): object {
  const { items, total, rate } = progress
  return { items, total: total ?? null, rate: rate ?? null, etaMs: etaMs(progress) ?? null }
}

/** The same with everything else that is known. Input and result are values here, as they were enqueued and returned. */
export function detailsJson(job: JobDetails, app: AppInternals | undefined): object {
  const { asked, part } = job
  return {
    ...jobJson(job, job.lack),
    expiresAt: job.expiresAt ?? null,
    atMostOnce: job.atMostOnce,
    build: job.build ?? null,
    input: parsed(job.input),
    result: parsed(job.result),
    error: job.error ?? null,
    cursor: job.cursor ?? null,
    savedAt: job.savedAt ?? null,
    asked: asked === undefined ? null : { ...asked, until: asked.until ?? null },
    trail: job.trail.map((entry) => ({
      run: entry.run,
      outcome: entry.outcome,
      reason: entry.reason ?? null,
      error: entry.error ?? null,
      items: entry.items ?? null,
      startedAt: entry.startedAt ?? null,
      endedAt: entry.endedAt,
      worker: entry.worker ?? null,
      build: entry.build ?? null,
    })),
    logs: job.tails,
    worries: worriesOf(job, app).map(({ kind, message }) => ({ kind, message })),
    part: part ?? null,
    parts: job.parts.map((each) => ({
      part: each.part,
      job: each.job,
      state: each.state ?? null,
      finished: each.finished,
      progress: progressJson(each.progress),
    })),
    now: job.now,
  }
}

/** What somebody should know of a job that has not ended: that it gets nowhere. */
export function worriesOf(job: JobDetails, app: AppInternals | undefined): Worry[] {
  if (isTerminal(job.state)) return []
  return [worryOfStops(job), worryOfRun(job, app)].filter((worry) => worry !== undefined)
}

/** How long is too long is the app's to say: without its config nothing is said. */
function worryOfRun({ state, startedAt, resumes, task, now }: JobDetails, app: AppInternals | undefined) {
  if (app === undefined || startedAt === undefined || (state !== 'running' && state !== 'started')) return undefined
  if (resumes || app.registry.get(task)?.interrupt === 'resume') return undefined
  return worryOfLength(now.getTime() - startedAt.getTime(), app.configure(undefined).maxRunMs)
}

function parsed(text: string | undefined): unknown {
  return text === undefined ? null : JSON.parse(text)
}
