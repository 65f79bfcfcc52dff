import { uuidv7 } from '../engine/ids.ts'
import { REQUESTS } from '../engine/wake.ts'
import { type Duration, formatDuration, MAX_DURATION_MS } from '../model/duration.ts'
import { checkDuration } from '../model/options.ts'
import { isTerminal } from '../model/states.ts'
import { sanitizeText } from '../model/text.ts'
import type { StateName } from '../store/codes.ts'
import type { Database } from '../store/db.ts'
import { wake } from '../store/enqueue.ts'
import { type By, cancel as cancelJob, pauseJob, resumeJob, retryJob, type Was } from '../store/operations.ts'
import { showJob } from '../store/reports.ts'
import { checkId } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { EXIT } from './failure.ts'
import { colors, errorColors, print, printJson, remark } from './output.ts'
import { ownerName } from './owner.ts'
import { openSession } from './session.ts'

/** What came of it, for one job. */
interface Steered {
  readonly id: string
  readonly done: boolean
  /** The state after it, as far as it is decided; null: there is no such job. */
  readonly state: StateName | null
  readonly message: string
  /** A retry of a job that may not start twice is a new one. */
  readonly newId?: string
}

const MAX_REASON_BYTES = 500

export async function retry(ids: readonly string[], options: CommonOptions): Promise<void> {
  await steer(ids, options, async (db, id) => {
    const retried = await retryJob(db, id, uuidv7())
    if (retried === undefined) return refused(db, id, 'retry')
    await wake(db, retried.queue).catch(() => {})
    if (retried.id === id) return { id, done: true, state: 'ready', message: 'is ready again' }
    const message = `had started and may not start twice: it runs again as ${retried.id}`
    return { id, done: true, state: 'ready', message, newId: retried.id }
  })
}

export async function cancel(ids: readonly string[], options: CommonOptions & { reason: string }): Promise<void> {
  const by = signed(options.reason)
  await steer(ids, options, async (db, id) => {
    const was = await cancelJob(db, id, by)
    if (was === undefined) return refused(db, id, 'cancel')
    if (was !== 'running') return { id, done: true, state: 'cancelled', message: 'is cancelled' }
    await wake(db, REQUESTS).catch(() => {})
    return { id, done: true, state: 'running', message: 'was asked to stop; it is cancelled when its code has ended' }
  })
}

export async function pause(id: string, options: CommonOptions & { reason: string; for: string }): Promise<void> {
  const ms = checkDuration(options.for as Duration, 1_000, MAX_DURATION_MS, '--for')
  const by = signed(options.reason)
  await steer([id], options, async (db) => {
    const was = await pauseJob(db, id, by, ms)
    if (was === undefined) return refused(db, id, 'pause')
    if (was === 'running') await wake(db, REQUESTS).catch(() => {})
    return { id, done: true, state: was === 'running' ? 'running' : 'paused', message: pausedText(was, ms) }
  })
}

function pausedText(was: Was, ms: number): string {
  const until = `for ${formatDuration(ms)}, or until \`holdfast jobs resume\``
  if (was !== 'running') return `is paused ${until}`
  return `runs: an iteration rests at its next checkpoint, ${until}; a plain task runs on to its end`
}

export async function resume(id: string, options: CommonOptions): Promise<void> {
  await steer([id], options, async (db) => {
    const resumed = await resumeJob(db, id)
    if (resumed === undefined) return refused(db, id, 'resume')
    if (resumed.queue === null) return { id, done: true, state: 'running', message: 'had not rested yet, and runs on' }
    await wake(db, resumed.queue).catch(() => {})
    return { id, done: true, state: 'ready', message: 'is ready again, and goes on where it was' }
  })
}

async function steer(
  ids: readonly string[],
  options: CommonOptions,
  act: (db: Database, id: string) => Promise<Steered>,
): Promise<void> {
  for (const id of ids) checkId(id)
  await using session = await openSession(options)
  const results: Steered[] = []
  for (const id of new Set(ids)) {
    const result = await act(session.db, id)
    results.push(result)
    if (options.json) continue
    if (result.done) print(`${colors.green('ok')} ${id} ${result.message}`)
    else remark(`${errorColors.red('no')} ${id} ${result.message}`)
  }
  if (options.json) printJson({ jobs: results })
  if (results.some((result) => !result.done)) process.exitCode = EXIT.failed
}

type Action = 'retry' | 'cancel' | 'pause' | 'resume'

/** Why nothing was done: what the job is instead. */
async function refused(db: Database, id: string, action: Action): Promise<Steered> {
  const job = await showJob(db, id)
  if (job === undefined) return { id, done: false, state: null, message: 'is no job, or was deleted' }
  const { state, asked } = job
  return {
    id,
    done: false,
    state,
    message: `${asked?.action === 'cancel' ? 'is to be cancelled' : whyNot(action, state)}`,
  }
}

function whyNot(action: Action, state: StateName): string {
  if (action === 'resume') return `is ${state}, not paused`
  if (action === 'retry' && state === 'paused') return 'is paused: `holdfast jobs resume` lets it go on'
  if (isTerminal(state)) return `had ended: ${state}`
  return `is ${state}: nothing to ${action}`
}

/** Who did it: a pause without an owner would be nobody's to end. */
function signed(reason: string): By {
  return { reason: sanitizeText(reason, MAX_REASON_BYTES), owner: ownerName() }
}
