import { graceFor, type ResolvedConfig } from '../model/config.ts'
import { formatDuration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import { isOverdue } from '../model/legacy.ts'
import { limitOf, lowerLimit, resolveTimeLimit, statedLimit } from '../model/time-limit.ts'
import type { QueueOptions } from './client.ts'
import type { TaskDefinition } from './definition.ts'

type Limits = Pick<ResolvedConfig, 'shutdown' | 'maxFinishMs' | 'maxRunMs'>

/** Where the platform leaves nothing, no limit of a task that must finish fits; it has one all the same. */
const NEVER_ENDLESS_MS = 60_000

/**
 * The tasks with the limits under which they run: their own, else the app's, below their queue's. A task that must finish has one, and it
 * is at most `policy.maxFinish`, or a deploy could not wait for it: an app's default is bent to fit, a task's own is refused.
 * @returns what should be said at every start, too
 * @throws {HoldfastError} HF_MAX_FINISH, naming every task that is too long, and what to do about it.
 */
export function limitTasks(
  tasks: readonly TaskDefinition[],
  queues: ReadonlyMap<string, QueueOptions>,
  config: Limits,
  now: Date,
): { readonly tasks: readonly TaskDefinition[]; readonly warnings: readonly string[] } {
  const limited = tasks.map((task) => {
    const cap = resolveTimeLimit(queues.get(task.queue)?.timeLimit, `timeLimit of queue ${task.queue}`)
    return Object.freeze({ ...task, timeLimit: lowerLimit(ownLimit(task, config), cap) })
  })
  const refused = limited.filter((task) => task.legacy === undefined && isTooLong(task, config))
  if (refused.length > 0) throw tooLong(refused, config)
  const warnings = limited.flatMap((task) => [...legacyWarning(task, config, now), ...lengthWarning(task, config)])
  return { tasks: limited, warnings }
}

function ownLimit({ interrupt, legacy, timeLimit, ownLimit: own }: TaskDefinition, { maxFinishMs }: Limits) {
  if (interrupt !== 'finish' || legacy !== undefined || own) return timeLimit
  return lowerLimit(timeLimit, limitOf(maxFinishMs > 0 ? maxFinishMs : NEVER_ENDLESS_MS))
}

/** Of tasks that must finish only: any other is interrupted. */
function isTooLong({ interrupt, timeLimit, ownLimit: own, legacy }: TaskDefinition, { maxFinishMs }: Limits): boolean {
  if (interrupt !== 'finish') return false
  if (timeLimit === undefined) return true
  return (own || legacy !== undefined) && statedLimit(timeLimit) > maxFinishMs
}

function tooLong(tasks: readonly TaskDefinition[], config: Limits): HoldfastError {
  const { maxFinishMs, shutdown } = config
  const most = `policy.maxFinish is ${formatDuration(maxFinishMs)}, of a shutdown budget of ${formatDuration(shutdown.budgetMs)}`
  const lines = tasks.map((task) => `  ${task.name}: ${length(task)}. ${cures(task, config).join('; or ')}.`)
  const text = `A deploy cannot wait for tasks that must finish and may take longer than it leaves them (${most}):`
  return new HoldfastError('HF_MAX_FINISH', `${text}\n${lines.join('\n')}\n`)
}

/** What applies to this task, the best first. */
function cures({ delivery, timeLimit }: TaskDefinition, { maxFinishMs, shutdown }: Limits): string[] {
  const ms = timeLimit === undefined ? 0 : statedLimit(timeLimit)
  const found: string[] = []
  if (maxFinishMs > 0) found.push(`Lower its timeLimit to ${formatDuration(maxFinishMs)} if it never takes that long`)
  if (delivery === 'at-least-once') {
    found.push('make it an iteration if it works through a collection, so that it resumes')
    found.push("say interrupt: 'restart' if it is harmless to repeat")
  }
  if (ms <= shutdown.budgetMs) found.push(`raise policy.maxFinish to ${formatDuration(ms)}: the budget allows it`)
  else
    found.push(`raise the platform's grace and shutdown.grace to ${formatDuration(graceFor(ms))}, and policy.maxFinish`)
  found.push("for the time being, declare it: legacy: { reason: '…', until: 'YYYY-MM-DD' }")
  return found
}

/** The tasks whose time to be improved is over. */
export function overdueTasks(tasks: readonly TaskDefinition[], now: Date): readonly TaskDefinition[] {
  return tasks.filter(({ legacy }) => legacy !== undefined && isOverdue(legacy, now))
}

function legacyWarning(task: TaskDefinition, config: Limits, now: Date): string[] {
  const { legacy, name } = task
  if (legacy === undefined) return []
  const until = `until ${legacy.until}${isOverdue(legacy, now) ? ', which is over' : ''}`
  if (!isTooLong(task, config)) return [`Task ${name} is declared legacy ${until}, and need not be: ${length(task)}`]
  return [`Task ${name} is legacy ${until} (${legacy.reason}): ${length(task)}, and a deploy that cannot wait cuts it`]
}

function lengthWarning(task: TaskDefinition, { maxRunMs }: Limits): string[] {
  const { name, interrupt, timeLimit } = task
  if (interrupt === 'resume' || timeLimit === undefined || statedLimit(timeLimit) <= maxRunMs) return []
  const most = `policy.maxRun, ${formatDuration(maxRunMs)}`
  return [`Task ${name}: ${length(task)}, longer than ${most}, and it cannot resume. An iteration could`]
}

function length({ timeLimit }: TaskDefinition): string {
  return timeLimit === undefined ? 'it has no time limit' : `it may take ${formatDuration(statedLimit(timeLimit))}`
}
