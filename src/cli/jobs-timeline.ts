import { formatDuration } from '../model/duration.ts'
import type { Failure } from '../model/failure.ts'
import { printable } from '../model/printable.ts'
import { isTerminal } from '../model/states.ts'
import type { JobDetails, TrailEntry } from '../store/reports.ts'
import type { LogTail } from '../store/tails.ts'
import { count, moment, plural, table } from './format.ts'
import { colors, short } from './output.ts'

/** Log lines of a run that a person is shown; `--json` has all that are kept. */
const LINES_MOST = 10
const FRAMES_MOST = 6

/** Failures that took the process along: where the code was is all there is to go by. */
const STOPPED: ReadonlySet<string | undefined> = new Set(['HF_HARD_LIMIT', 'HF_BLOCKED', 'HF_STALLED'])

interface Told {
  readonly cells: readonly string[]
  /** Of this run, the log lines are shown under the line. */
  readonly run?: number
  readonly more?: readonly string[]
}

/** The story of a job: a line for each run that left something to tell, and under it what it logged last and what it died of. */
export function timeline(job: JobDetails): string {
  const events = [event(job.createdAt, 'enqueued'), ...job.trail.map(told), ...silent(job), ...present(job)]
  const [head = '', ...lines] = table(
    ['at', 'run', 'what', 'worker', 'build', 'took', 'because'],
    events.map(({ cells }) => cells),
  ).split('\n')
  const tails = new Map(job.tails.map((tail) => [tail.run, tail]))
  const last = new Map(events.map(({ run }, index) => [run, index]))
  return [
    head,
    ...events.flatMap(({ run, more = [] }, index) => {
      const tail = run !== undefined && last.get(run) === index ? tails.get(run) : undefined
      return [lines[index] ?? '', ...[...more, ...(tail === undefined ? [] : logOf(tail))].map((line) => `    ${line}`)]
    }),
  ].join('\n')
}

function told(entry: TrailEntry): Told {
  const { run, outcome, startedAt, endedAt, worker, build } = entry
  const took = startedAt === undefined ? '' : formatDuration(Math.max(0, endedAt.getTime() - startedAt.getTime()))
  const cells = [
    moment(endedAt),
    String(run),
    paint(outcome),
    short(worker, 40),
    short(build, 24),
    took,
    because(entry),
  ]
  return { cells, run, more: causeOf(entry) }
}

function because({ reason, error, items }: TrailEntry): string {
  const { message, where } = (error ?? {}) as Failure & { where?: string }
  const said = message ?? reason
  const at = [
    ...(where === undefined ? [] : [where]),
    ...(items === undefined ? [] : [`saved: ${plural(items, 'item')}`]),
  ]
  const place = at.length === 0 ? '' : ` (${at.join(', ')})`
  return short(`${said ?? ''}${place}`.trim(), 300)
}

/** What a process died of: each fact that is known, and the code that stood in its way. */
function causeOf({ outcome, error }: TrailEntry): string[] {
  if (typeof error !== 'object' || error === null) return []
  // Of an error that its code threw, the message says enough: the page has the last one whole.
  if (outcome === 'failed' && !STOPPED.has((error as Failure).code)) return []
  const { name: _, message: __, stack, cause: ___, errors: ____, ...facts } = error as Failure & Record<string, unknown>
  const known = Object.entries(facts).filter(([, value]) => value !== null && typeof value !== 'object')
  const line = known.map(([key, value]) => `${short(key, 40)} ${short(String(value), 80)}`).join(', ')
  const frames = (stack ?? '').split('\n').filter((frame) => frame.trim() !== '')
  return [line, ...frames.slice(0, FRAMES_MOST).map((frame) => printable(frame.trim()))]
    .filter((text) => text !== '')
    .map((text) => colors.dim(text))
}

function logOf({ said, lines }: LogTail): string[] {
  const shown = lines.slice(-LINES_MOST)
  const before = said - shown.length
  return [
    ...(before > 0 ? [colors.dim(`… ${count(before)} ${before === 1 ? 'line' : 'lines'} before`)] : []),
    ...shown.map(({ at, level, text }) => {
      const time = at.toISOString().slice(11, 23)
      return `${colors.dim(`${time} ${level.padEnd(5)}`)} ${short(text, 300)}`
    }),
  ]
}

function paint(outcome: string): string {
  if (outcome === 'failed' || outcome === 'lost' || outcome === 'crashed') return colors.red(outcome)
  return outcome === 'interrupted' || outcome === 'yielded' ? colors.cyan(outcome) : colors.yellow(outcome)
}

/** Runs that only left log lines: they gave the job back, and nothing was worth a line in the trail. */
function silent(job: JobDetails): Told[] {
  const known = new Set(job.trail.map(({ run }) => run))
  return job.tails
    .filter(({ run }) => !known.has(run) && run < job.run)
    .map(({ run, savedAt }) => ({ cells: [moment(savedAt), String(run), 'gave it back', '', '', '', ''], run }))
}

/** Where it is now. An end that the trail has told is not told again. */
function present(job: JobDetails): Told[] {
  const { state, run, startedAt, endedAt, dueAt, now, worker, build } = job
  if (state === 'running' || state === 'started' || state === 'completed') {
    const at = endedAt ?? now
    const took = startedAt === undefined ? '' : formatDuration(Math.max(0, at.getTime() - startedAt.getTime()))
    const when = state === 'completed' ? at : (startedAt ?? now)
    const what = colors.green(state === 'completed' ? 'completed' : 'running')
    return [{ cells: [moment(when), String(run), what, short(worker, 40), short(build, 24), took, ''], run }]
  }
  if (isTerminal(state)) return job.trail.at(-1)?.outcome === state ? [] : [event(endedAt ?? now, state)]
  if (dueAt === undefined || state === 'parked') return []
  return [event(dueAt, state === 'paused' ? 'resumes by itself' : 'due')]
}

function event(at: Date, what: string): Told {
  return { cells: [moment(at), '', what, '', '', '', ''] }
}
