import { formatDuration } from '../model/duration.ts'
import type { Failure } from '../model/failure.ts'
import { isTerminal } from '../model/states.ts'
import type { JobDetails, TrailEntry } from '../store/reports.ts'
import { moment, table } from './format.ts'
import { colors, short } from './output.ts'

/** The story of a job, a line for each run that left something to tell. */
export function timeline(job: JobDetails): string {
  const rows = [event(job.createdAt, 'enqueued'), ...job.trail.map(told), ...present(job)]
  return table(['at', 'run', 'what', 'worker', 'build', 'took', 'because'], rows)
}

function told(entry: TrailEntry): string[] {
  const { run, outcome, startedAt, endedAt, worker, build } = entry
  const took = startedAt === undefined ? '' : formatDuration(Math.max(0, endedAt.getTime() - startedAt.getTime()))
  return [moment(endedAt), String(run), paint(outcome), short(worker, 40), short(build, 24), took, because(entry)]
}

function because({ reason, error }: TrailEntry): string {
  const { message, where } = (error ?? {}) as Failure & { where?: string }
  const said = message ?? reason
  return short(where === undefined || said === undefined ? said : `${said} (${where})`, 300)
}

function paint(outcome: string): string {
  if (outcome === 'failed' || outcome === 'lost') return colors.red(outcome)
  return outcome === 'interrupted' || outcome === 'yielded' ? colors.cyan(outcome) : colors.yellow(outcome)
}

/** Where it is now. An end that the trail has told is not told again. */
function present(job: JobDetails): string[][] {
  const { state, run, startedAt, endedAt, dueAt, now, worker, build } = job
  if (state === 'running' || state === 'started') {
    const took = startedAt === undefined ? '' : formatDuration(Math.max(0, now.getTime() - startedAt.getTime()))
    return [
      [moment(startedAt ?? now), String(run), colors.green('running'), short(worker, 40), short(build, 24), took, ''],
    ]
  }
  if (state === 'completed') {
    const at = endedAt ?? now
    const took = startedAt === undefined ? '' : formatDuration(Math.max(0, at.getTime() - startedAt.getTime()))
    return [[moment(at), String(run), colors.green('completed'), short(worker, 40), short(build, 24), took, '']]
  }
  if (isTerminal(state)) return job.trail.at(-1)?.outcome === state ? [] : [event(endedAt ?? now, state)]
  if (dueAt === undefined) return []
  return [event(dueAt, state === 'paused' ? 'resumes by itself' : 'due')]
}

function event(at: Date, what: string): string[] {
  return [moment(at), '', what, '', '', '', '']
}
