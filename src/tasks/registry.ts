import { HoldfastError } from '../model/errors.ts'
import { resolveRetry } from '../model/retry.ts'
import { show } from '../model/show.ts'
import { resolveTimeLimit } from '../model/time-limit.ts'
import type { AppOptions } from './app.ts'
import type { TaskDefinition } from './definition.ts'
import { definitionOf, taskDefinitionOf } from './handle.ts'

/** The tasks of an app, by every name that a job may carry. */
export interface Registry {
  /** The task's own name or one of its aliases. */
  get(name: string): TaskDefinition | undefined
  /** Every name that jobs can be claimed under: the tasks' own names and their aliases. */
  readonly names: readonly string[]
  readonly tasks: readonly TaskDefinition[]
}

/**
 * Collects the tasks of `app({ tasks })`, from the list and from the modules in it, and completes them with the app's defaults.
 * @throws {HoldfastError} HF_TASK_DUPLICATE when a name or alias has two owners; HF_CONFIG for what is no task.
 */
export function createRegistry(tasks: AppOptions['tasks'], defaults: AppOptions['defaults'] = {}): Registry {
  if (!Array.isArray(tasks)) throw new HoldfastError('HF_CONFIG', `tasks of app() must be a list, not ${show(tasks)}`)
  const retry = defaults.retry
  const timeLimit = resolveTimeLimit(defaults.timeLimit, 'timeLimit in defaults of app()')
  resolveRetry(retry, 'retry in defaults of app()')

  // A Map: a task may be called `constructor`.
  const byName = new Map<string, TaskDefinition>()
  // The same task may be reached twice, through its own module and through one that exports it again.
  const unique = new Set(tasks.flatMap(collect))
  const complete = [...unique].map((definition) =>
    Object.freeze({
      ...definition,
      retry: resolveRetry(definition.retryOptions, `retry of task ${definition.name}`, retry),
      timeLimit: definition.timeLimit ?? timeLimit,
    }),
  )
  for (const definition of complete) {
    for (const name of [definition.name, ...definition.aliases]) {
      const other = byName.get(name)
      if (other !== undefined) throw duplicate(name, other, definition)
      byName.set(name, definition)
    }
  }
  return { get: (name) => byName.get(name), names: [...byName.keys()], tasks: complete }
}

function duplicate(name: string, one: TaskDefinition, other: TaskDefinition): HoldfastError {
  const role = ({ kind, name: own }: TaskDefinition) =>
    own === name ? `the name of the ${kind} ${own}` : `an alias of the ${kind} ${own}`
  return new HoldfastError('HF_TASK_DUPLICATE', `"${name}" is ${role(one)} and ${role(other)}`)
}

/** The tasks of one entry of the list. */
function collect(entry: unknown, index: number): TaskDefinition[] {
  const own = taskDefinitionOf(entry)
  if (own !== undefined) return [own]
  const contract = definitionOf(entry)
  if (contract !== undefined) {
    throw new HoldfastError(
      'HF_CONFIG',
      `tasks[${index}] of app() is the contract ${contract.name}, which has no body: list the task made from it`,
    )
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new HoldfastError(
      'HF_CONFIG',
      `tasks[${index}] of app() must be a task or a module of tasks, not ${show(entry)}`,
    )
  }
  const found = Object.values(entry)
    .map(taskDefinitionOf)
    .filter((definition) => definition !== undefined)
  if (found.length > 0) return found
  throw new HoldfastError('HF_CONFIG', `tasks[${index}] of app() is a module that exports no task`)
}
