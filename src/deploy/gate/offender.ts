import { monotonic } from '../../engine/monotonic.ts'
import { within } from '../../engine/within.ts'
import { formatDuration } from '../../model/duration.ts'
import type { Legacy } from '../../model/legacy.ts'
import type { Database } from '../../store/db.ts'
import { type UsualDuration, usualDuration } from '../../store/gate.ts'
import type { SeenJob } from './view.ts'

/** A job that a deploy had to wait for. Plain JSON: it is kept with the deploy. */
export interface Offender {
  readonly task: string
  readonly job: string
  readonly run: number
  readonly queue: string
  readonly worker: string
  readonly interrupt: 'finish' | 'restart' | 'resume'
  readonly delivery: 'at-least-once' | 'at-most-once'
  /** ms that it has been running. */
  readonly ageMs: number
  /** ms, of runs that completed; null: not known. */
  readonly usualMs: number | null
  readonly p95Ms: number | null
  /** ms, as it was declared: the soft one; null: none. */
  readonly limitMs: number | null
  /** ms until it should be done: by what is usual, else by its limit; null: nobody knows. */
  readonly doneInMs: number | null
  readonly legacy: Legacy | null
  /** What to do about it. */
  readonly cure: string
}

const MOST = 100
const LEARN_MOST_MS = 10_000

/** How long tasks usually take, by name. */
export type Usual = Map<string, UsualDuration>

/** The jobs in the way, with what is known of their tasks, or can be found out in `ms`. */
export async function offendersOf(
  db: Database,
  jobs: readonly SeenJob[],
  usual: Usual = new Map(),
  ms = LEARN_MOST_MS,
): Promise<Offender[]> {
  const until = monotonic() + ms
  for (const task of new Set(jobs.map((job) => job.task))) {
    const left = until - monotonic()
    if (usual.has(task) || left <= 0) continue
    const found = await within(usualDuration(db, task), left)
    if (found !== undefined) usual.set(task, found)
  }
  return jobs.slice(0, MOST).map((job) => offenderOf(job, usual.get(job.task)))
}

export function offenderOf(job: SeenJob, usual: UsualDuration | undefined): Offender {
  const { facts } = job
  const known = {
    task: job.task,
    job: job.id,
    run: job.run,
    queue: job.queue,
    worker: job.workerName,
    interrupt: facts.interrupt,
    delivery: facts.delivery,
    ageMs: Math.round(job.age_ms),
    usualMs: usual === undefined ? null : Math.round(usual.p50_ms),
    p95Ms: usual === undefined ? null : Math.round(usual.p95_ms),
    limitMs: facts.soft,
    legacy: facts.legacy,
  }
  return { ...known, doneInMs: doneIn(known, facts.hard), cure: facts.known ? cureOf(known) : STRANGER }
}

type Known = Omit<Offender, 'doneInMs' | 'cure'>

/** A run that is over its usual time already has only its limit. */
function doneIn({ ageMs, p95Ms }: Known, hard: number | null): number | null {
  if (p95Ms !== null && p95Ms > ageMs) return p95Ms - ageMs
  return hard === null ? null : Math.max(0, hard - ageMs)
}

/** Longer than this many times its p95: something is wrong with this one run, not with the task. */
const STUCK_FACTOR = 3
const STUCK_LEAST_MS = 10_000
/** A deploy can wait for what is shorter. */
const SHORT_MS = 60_000
const STRANGER =
  'Its worker is of a release that says nothing of its tasks: nobody knows whether it may be cut. Wait, or look at it.'

function cureOf(job: Known): string {
  const { interrupt, delivery, legacy, ageMs, p95Ms, limitMs } = job
  if (interrupt !== 'finish') {
    const how = interrupt === 'resume' ? 'after each item' : 'when its signal aborts'
    return `It was asked to stop, and should ${how}: make its ${interrupt === 'resume' ? 'items shorter' : 'code heed ctx.signal'}.`
  }
  if (p95Ms !== null && ageMs > Math.max(p95Ms * STUCK_FACTOR, STUCK_LEAST_MS)) {
    const look = `holdfast jobs show ${job.job}`
    return `It usually takes ${formatDuration(p95Ms)} at most and has been running for ${formatDuration(ageMs)}: look at it (${look}), cancel it if it is stuck.`
  }
  if (legacy !== null) {
    return `Declared legacy until ${legacy.until} (${legacy.reason}): make it resumable, an iteration, or allow it to restart.`
  }
  if (delivery === 'at-most-once') {
    return 'It may start only once, so a deploy cannot cut it: keep it short, and do the long part in a job that may run again.'
  }
  if (Math.max(p95Ms ?? 0, limitMs ?? 0, ageMs) <= SHORT_MS)
    return 'It is short: give the deploy more time (--timeout).'
  return "Declare interrupt: 'restart' if it may run again from the start; make it an iteration if it is too long for that."
}

/** A ticket about one task, ready to be filed. */
export function ticketOf(
  offenders: readonly Offender[],
  deploy: { number: number; at: Date; waitedMs: number },
): string {
  const [first] = offenders as [Offender, ...Offender[]]
  const { task, queue, p95Ms, limitMs, legacy, cure } = first
  return [
    `Title: task ${task} makes deploys wait`,
    '',
    `Deploy ${deploy.number} waited ${formatDuration(deploy.waitedMs)} until ${deploy.at.toISOString()} and gave up, because of:`,
    ...offenders.map(
      ({ job, worker, ageMs }) => `- job ${job} on worker ${worker}, running for ${formatDuration(ageMs)}`,
    ),
    '',
    `Task: ${task}, queue ${queue}, interrupt: '${first.interrupt}', delivery: '${first.delivery}'`,
    `Usually takes at most: ${p95Ms === null ? 'not known' : formatDuration(p95Ms)} (p95). Limit: ${limitMs === null ? 'none' : formatDuration(limitMs)}.`,
    ...(legacy === null ? [] : [`Declared legacy until ${legacy.until}: ${legacy.reason}`]),
    `Cure: ${cure}`,
  ].join('\n')
}
