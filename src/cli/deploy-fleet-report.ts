import type { Fetching, Fleet, FleetJob, LaterJob, Resumed } from '../deploy/fleets/fleet.ts'
import type { HeldFleet } from '../deploy/fleets/held-file.ts'
import type { FleetProgress, Prepared } from '../deploy/fleets/prepare-fleet.ts'
import { formatDuration } from '../model/duration.ts'
import { maskSecrets } from '../model/mask.ts'
import type { FleetRequest } from './deploy-fleet-options.ts'
import { isOurs, messageOf } from './failure.ts'
import { count, plural, table } from './format.ts'
import { colors, print, short } from './output.ts'

export interface FleetReport {
  readonly request: FleetRequest
  readonly fleet: Fleet
  readonly prepared: Prepared
  /** The file that says what is paused. */
  readonly state: string
}

export function progressText({ acknowledged, blocking, more, silent, workers }: FleetProgress): string {
  if (silent.length > 0) return `No answer from ${silent.map(({ who }) => short(who, 60)).join(', ')}`
  if (!acknowledged) return `Pausing ${plural(workers.length, 'worker')} …`
  const names = blocking.slice(0, 5).map(({ task, worker }) => short(worker === '' ? task : `${task} on ${worker}`, 80))
  return `Paused. Waiting for ${plural(blocking.length + more, 'task')}: ${names.join(', ')}${blocking.length > 5 ? ', …' : ''}`
}

export function sayPrepared(report: FleetReport): void {
  const { prepared, fleet, request } = report
  const after = formatDuration(prepared.waitedMs)
  if (prepared.ok) {
    print(
      colors.green(`Ready to deploy after ${after}.`) +
        ` ${plural(prepared.workers.length, 'worker')} of ${fleet.system}: nothing is fetched any more.`,
    )
    sayJobs('Still running, and may be interrupted:', prepared.interruptible, undefined)
    sayLater(prepared.later)
    print('\nNext:')
    for (const line of nextOf(report)) print(`  ${line}`)
    print(`\nWhat this pause is not (${fleet.system} has no way):`)
    for (const line of fleet.cannot) print(`  - ${line}`)
    return print(`What is paused is written in ${report.state}.`)
  }
  print(`${colors.red(`Not ready: ${reasonOf(prepared, after)}.`)} Do not deploy.`)
  for (const { who, why } of prepared.silent) print(`  ${short(who, 80)} ${why}`)
  sayJobs('In the way:', prepared.blocking, (job) => cureOf(job, fleet, request))
  if (prepared.more > 0) print(`and ${count(prepared.more)} more`)
  sayAfterwards(report)
}

function reasonOf(prepared: Exclude<Prepared, { ok: true }>, after: string): string {
  if (prepared.why === 'interrupted') return `interrupted after ${after}`
  if (prepared.why === 'timeout') return `${after} are over`
  return isOurs(prepared.error) ? prepared.error.message : messageOf(prepared.error)
}

function sayAfterwards({ prepared, fleet, state }: FleetReport): void {
  if (prepared.ok) return
  const { resumed, resumeError } = prepared
  if (resumed === undefined) {
    print(colors.red(`\nThe fleet is still paused: ${messageOf(resumeError)}`))
    return sayUndo(fleet, prepared.held, state)
  }
  if (resumed.left.length === 0) return print('\nEverything fetches again.')
  print(colors.red('\nNot everything fetches again:'))
  for (const { who, why } of resumed.silent) print(`  ${short(who, 80)} ${why}`)
  sayUndo(fleet, resumed.left, state)
}

function sayUndo(fleet: Fleet, held: readonly Fetching[], state: string): void {
  print(`Try \`holdfast deploy abort --fleet ${fleet.system}\` again (it reads ${state}), or by hand:`)
  for (const line of fleet.undo(held)) print(`  ${line}`)
}

export function sayResumed(fleet: Fleet, resumed: Resumed, held: HeldFleet): void {
  const names = resumed.resumed.map(({ worker, queue }) => (worker === undefined ? queue : `${worker}: ${queue}`))
  print(
    `Paused since ${held.since}. Fetches again: ${names.length === 0 ? 'nothing that had to be asked' : names.join('; ')}`,
  )
  if (resumed.restarted.length > 0) print(`Started anew since, and left alone: ${resumed.restarted.join(', ')}`)
  if (resumed.left.length === 0) return
  print(colors.red('Not everything fetches again:'))
  for (const { who, why } of resumed.silent) print(`  ${short(who, 80)} ${why}`)
  for (const line of fleet.undo(resumed.left)) print(`  ${line}`)
}

function sayJobs(title: string, jobs: readonly FleetJob[], cure: ((job: FleetJob) => string) | undefined): void {
  if (jobs.length === 0) return
  print(`\n${title}`)
  const head = ['task', 'job', 'for', 'worker', ...(cure === undefined ? [] : ['cure'])]
  print(
    table(
      head,
      jobs.map((job) => [
        short(job.task, 50),
        short(job.id, 40),
        job.state === 'taken' ? 'not begun' : job.runningMs === undefined ? '?' : formatDuration(job.runningMs),
        short(job.worker === '' ? `? (queue ${job.queue})` : job.worker, 50),
        ...(cure === undefined ? [] : [cure(job)]),
      ]),
    ),
  )
}

function sayLater(later: readonly LaterJob[]): void {
  if (later.length === 0) return
  const first = later.reduce((a, b) => (a.dueMs < b.dueMs ? a : b))
  const what = `${short(first.task, 50)} in ${formatDuration(first.dueMs)} on ${short(first.worker, 50)}`
  print(
    `\nWorkers keep ${plural(later.length, 'task')} for later and begin them in spite of the pause; the first: ${what}.`,
  )
}

function cureOf(job: FleetJob, fleet: Fleet, { require }: FleetRequest): string {
  if (require === 'idle' && fleet.isInterruptible(job))
    return 'it may be interrupted: --require interruptible would pass'
  if (job.state === 'taken')
    return 'prefetched: with worker_prefetch_multiplier = 1 and acks_late it stays in the broker'
  if (fleet.system === 'celery') return 'make it shorter, or safe to repeat with acks_late=True (or --interruptible)'
  return 'make it shorter, or safe to repeat and named with --interruptible'
}

function nextOf({ request, fleet }: FleetReport): string[] {
  const address = request.secretRedis
    ? ['REDIS_URL must be set where these run: the address of this Redis has a password, which is not printed']
    : []
  const words = request.words.join(' ')
  const restart =
    fleet.system === 'celery' ? ' (a worker that was restarted fetches by itself)' : ' (they stay paused until finish)'
  return [
    'migrate, put the new code in place',
    `restart the workers${restart}`,
    `holdfast deploy finish ${words}`,
    `or, to go back: holdfast deploy abort ${words}`,
    ...address,
  ].map(maskSecrets)
}

/** For a program as well: a broker's password may stand in the command line. */
export function undoLines(fleet: Fleet, held: readonly Fetching[]): string[] {
  return fleet.undo(held).map(maskSecrets)
}

export function preparedJson(report: FleetReport): object {
  const { prepared, fleet, request, state } = report
  const stillPaused = prepared.ok ? prepared.held : (prepared.resumed?.left ?? prepared.held)
  const failure = prepared.ok ? undefined : (prepared.error ?? prepared.resumeError)
  return {
    ok: prepared.ok,
    fleet: fleet.system,
    why: prepared.ok ? null : prepared.why,
    waitedMs: Math.round(prepared.waitedMs),
    acknowledged: prepared.acknowledged,
    workers: prepared.workers,
    unreachable: prepared.silent,
    offenders: prepared.ok ? [] : prepared.blocking.map((job) => ({ ...job, cure: cureOf(job, fleet, request) })),
    more: prepared.more,
    interruptible: prepared.interruptible,
    later: prepared.later,
    resumed: prepared.ok ? [] : (prepared.resumed?.resumed ?? []),
    stillPaused,
    state: stillPaused.length > 0 ? state : null,
    next: prepared.ok ? nextOf(report) : [],
    undo: undoLines(fleet, stillPaused),
    cannot: fleet.cannot,
    error:
      failure === undefined
        ? null
        : { code: isOurs(failure) ? failure.code : 'UNEXPECTED', message: messageOf(failure) },
  }
}
