import { formatDuration } from '../model/duration.ts'
import type { SettlePlan } from '../model/settle-plan.ts'
import type { When } from '../model/when.ts'
import type { Attempt } from './attempt.ts'
import type { Fate } from './settle.ts'
import type { Blockage } from './watchdog.ts'

export interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

/** Of a run whose fence no longer held: its worker was frozen or cut off, and the job is somebody else's. */
const MOVED_ON: Line = {
  level: 'warn',
  message: 'Run refused: the job has moved on, and nothing that this run still wrote was kept',
}

const UNWRITTEN: Line = {
  level: 'warn',
  message: 'Run not written: the database did not take its end while this worker had its lease. The job is given back',
}

/** What the log says when the end of a run, of which it has told already, is not what the database has. */
export function lineOfFate(fate: Fate): Line | undefined {
  if (fate === 'written') return undefined
  return fate === 'refused' ? MOVED_ON : UNWRITTEN
}

/** What the log says of how a run ended. Nothing of a plain job that completed or gave its slot back: there are thousands a second. */
export function lineOf(plan: SettlePlan, attempt: Attempt): Line | undefined {
  switch (plan.kind) {
    case 'fail':
      return { level: 'error', message: `Job failed: ${plan.failure.message}` }
    case 'retry':
      return { level: 'warn', message: `Job failed: ${plan.failure.message}` }
    case 'hand-back':
      return { level: 'info', message: `Job interrupted: ${plan.reason}. It can go on elsewhere` }
    case 'crash':
      return { level: 'error', message: `Job crashed: ${plan.failure.message}. It is tried again` }
    case 'interrupt':
      return { level: 'warn', message: `Job interrupted: ${plan.reason}. It may start only once, so it ends here` }
    case 'snooze':
      return plan.reason === undefined
        ? { level: 'info', message: `Job snoozed ${describe(plan.when)}` }
        : { level: 'warn', message: `Job snoozed ${describe(plan.when)}: ${plan.reason}` }
    case 'pause':
      return { level: 'info', message: `Job paused: ${attempt.asked?.reason ?? 'no reason given'}` }
    case 'cancel':
      return { level: 'info', message: `Job cancelled: ${attempt.asked?.reason ?? 'no reason given'}` }
    case 'expire':
      return { level: 'info', message: 'Job expired: it was claimed after its time' }
    case 'lose':
      return {
        level: 'warn',
        message: 'Job lost: nobody knows whether its start was recorded, and it may start only once',
      }
    case 'park':
      return { level: 'warn', message: `Job parked: ${plan.reason}` }
    case 'nothing':
      return attempt.settled ? endOfIteration(plan, attempt) : MOVED_ON
    case 'complete':
    case 'yield':
      return endOfIteration(plan, attempt)
  }
}

function endOfIteration(plan: SettlePlan, attempt: Attempt): Line | undefined {
  if (attempt.task.kind !== 'iteration') return undefined
  if (plan.kind === 'complete' || attempt.settled) return { level: 'info', message: 'Job completed' }
  if (plan.kind === 'yield') return { level: 'info', message: 'Job gave its slot to others' }
  return undefined
}

function describe(when: When): string {
  return when.kind === 'delay' ? `for ${formatDuration(when.ms)}` : `until ${when.iso}`
}

/** On a busy machine a process may not get to run for that long. */
const NOBODYS_MS = 2_000

/** Short blocks are everybody's; one that was long enough to be looked at has a culprit, who should know. */
export function sayBlocked(
  { ms, job, stack }: Blockage,
  log: (level: 'warn', message: string, data: object) => void,
): void {
  if (job === undefined && ms < NOBODYS_MS) return
  const whose = job === undefined ? 'code of no known run' : `task ${job.task}`
  const data = job === undefined ? { stack } : { job: job.id, task: job.task, run: job.run, stack }
  log('warn', `The event loop was blocked for ${formatDuration(ms)} by ${whose}: nothing else ran here meanwhile`, data)
}
