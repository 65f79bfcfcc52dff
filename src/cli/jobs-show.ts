import { setTimeout as sleep } from 'node:timers/promises'
import type { AppInternals } from '../internals.ts'
import { formatDuration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import type { Failure } from '../model/failure.ts'
import { printable, printableJson } from '../model/printable.ts'
import { isTerminal } from '../model/states.ts'
import { lackText } from '../model/unserved.ts'
import { SUSPECT_AFTER } from '../model/worry.ts'
import type { Database } from '../store/db.ts'
import { type JobDetails, showJob } from '../store/reports.ts'
import { checkId } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { ago, moment, plural, progressLine, table } from './format.ts'
import { colored, detailsJson, worriesOf } from './job-view.ts'
import { timeline } from './jobs-timeline.ts'
import { colors, leaveWithReader, print, printJson, short, status } from './output.ts'
import { openSession } from './session.ts'

interface ShowOptions extends CommonOptions {
  readonly watch?: true | undefined
}

const WATCH_EVERY_MS = 500
const SHOWN_JSON = 2_000
const YEAR_MS = 365 * 86_400_000

export async function show(id: string, options: ShowOptions): Promise<void> {
  checkId(id)
  await using session = await openSession(options)
  const app = session.loaded?.internals
  if (options.watch) return await watch(session.db, app, id, options.json === true)
  const job = await found(session.db, id)
  if (options.json) printJson(detailsJson(job, app))
  else print(page(job, app))
}

async function found(db: Database, id: string): Promise<JobDetails> {
  const job = await showJob(db, id)
  if (job === undefined) throw new HoldfastError('HF_JOB_NOT_FOUND', `There is no job ${id}.`)
  return job
}

/** One line that changes, then the whole page; for a program a line for each change. */
async function watch(db: Database, app: AppInternals | undefined, id: string, json: boolean): Promise<void> {
  leaveWithReader()
  let last = ''
  for (;;) {
    const job = await found(db, id)
    const ended = isTerminal(job.state)
    const line = json ? JSON.stringify([job.state, job.run, job.progress, job.asked]) : watchLine(job)
    if (json && line !== last) printJson(detailsJson(job, app), 'line')
    else if (!json && !ended && line !== last) status(line)
    last = line
    if (ended && !json) status()
    if (ended && !json) print(page(job, app))
    if (ended) return
    await sleep(WATCH_EVERY_MS)
  }
}

function watchLine(job: JobDetails): string {
  const { state, worker, progress } = job
  const parts = [colored(state)]
  if (worker !== undefined) parts.push(`on ${short(worker, 40)}`)
  if (progress !== undefined) parts.push(progressLine(progress))
  return parts.join('  ')
}

function page(job: JobDetails, app: AppInternals | undefined): string {
  const head = `${colors.bold(printable(job.task))}  ${job.id}  ${colored(job.state)}`
  const worries = worriesOf(job, app).map(({ message }): [string, string] => ['warning', colors.yellow(message)])
  const facts = [...factsOf(job), ...worries].map(([name, value]) => `  ${colors.dim(name.padEnd(10))}  ${value}`)
  return [head, ...facts, ...partsOf(job), '', colors.dim('Timeline (UTC)'), timeline(job)].join('\n')
}

/** What there is to say, a line each; what is nothing is left out. */
function factsOf(job: JobDetails): [string, string][] {
  const { now } = job
  const facts: [string, string | undefined][] = [
    ['queue', `${printable(job.queue)}, priority ${job.priority}`],
    ['version', job.version === 1 ? undefined : String(job.version)],
    ['enqueued', `${moment(job.createdAt)}, ${ago(job.createdAt, now)}`],
    ['runs', runsOf(job)],
    ['suspected', suspicionOf(job)],
    ['due', job.dueAt && dueOf(job, job.dueAt)],
    ['because', job.dueAt && job.reason && printable(job.reason)],
    ['waits', job.lack && colors.yellow(lackText(job.lack, job))],
    ['expires', job.expiresAt && `${moment(job.expiresAt)}`],
    ['worker', workerOf(job)],
    ['progress', job.progress && progressLine(job.progress)],
    ['asked', askedOf(job)],
    ['input', shownJson(job.input)],
    ['cursor', job.cursor === undefined || job.cursor === null ? undefined : shownJson(printableJson(job.cursor))],
    ['saved', job.savedAt && ago(job.savedAt, now)],
    ['result', shownJson(job.result)],
    ['error', job.error === undefined ? undefined : errorOf(job.error as Failure & { where?: string })],
  ]
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined)
}

function dueOf({ state, id, now }: JobDetails, due: Date): string {
  if (state === 'parked' && due.getTime() - now.getTime() > YEAR_MS)
    return `not by itself: \`holdfast jobs retry ${id}\` tries again`
  return due > now ? `${moment(due)}, in ${formatDuration(due.getTime() - now.getTime())}` : 'now'
}

function runsOf({ run, failures, interruptions, losses, crashes }: JobDetails): string {
  const counters = { failure: failures, interruption: interruptions, loss: losses, crash: crashes }
  const parts = Object.entries(counters).filter(([, n]) => n > 0)
  return [plural(run, 'run'), ...parts.map(([name, n]) => `${n} ${n === 1 ? name : PLURALS[name]}`)].join(', ')
}

/** Of a job whose workers died under it, again and again, while it got no further. */
function suspicionOf({ state, crashes }: JobDetails): string | undefined {
  if (crashes < SUSPECT_AFTER || isTerminal(state) || state === 'parked') return undefined
  return `${crashes} crashes without progress: it runs alone until it gets on`
}

const PLURALS: Readonly<Record<string, string>> = {
  failure: 'failures',
  interruption: 'interruptions',
  loss: 'losses',
  crash: 'crashes',
}

function workerOf({ worker, build, startedAt, endedAt, now }: JobDetails): string | undefined {
  if (worker === undefined) return undefined
  const since = startedAt === undefined ? '' : `, ${formatDuration((endedAt ?? now).getTime() - startedAt.getTime())}`
  return `${printable(worker)}${build === undefined ? '' : `, build ${printable(build)}`}${since}`
}

function askedOf({ asked, now }: JobDetails): string | undefined {
  if (asked === undefined) return undefined
  const until =
    asked.until === undefined ? '' : `, until ${moment(asked.until)} (in ${ago(now, asked.until).replace(' ago', '')})`
  return `to ${asked.action}, by ${printable(asked.owner)}: ${printable(asked.reason)}${until}`
}

function shownJson(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const more = text.length > SHOWN_JSON ? colors.dim(` (${text.length} characters; --json has all)`) : ''
  return short(text, SHOWN_JSON) + more
}

function errorOf(error: Failure & { where?: string }): string {
  const head = colors.red(`${printable(String(error.name))}: ${printable(String(error.message))}`)
  const where = error.where === undefined ? [] : [`at ${printable(error.where)}`]
  const frames = (error.stack ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 8)
  const causes =
    error.cause === undefined ? [] : [`caused by ${printable(error.cause.name)}: ${printable(error.cause.message)}`]
  const rest = [...where, ...frames.map((line) => colors.dim(printable(line.trim()))), ...causes]
  return [head, ...rest.map((line) => `              ${line}`)].join('\n')
}

function partsOf({ parts, id }: JobDetails): string[] {
  if (parts.length === 0) return []
  const rows = parts.map(({ part, job, state, finished, progress }) => {
    const what = finished ? colored('completed') : state === undefined ? colors.red('ended') : colored(state)
    return [`${part + 1}/${parts.length}`, job === id ? `${job} (this)` : job, what, progressLine(progress)]
  })
  return ['', table(['part', 'job', 'state', 'progress'], rows)]
}
