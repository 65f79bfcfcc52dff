import { HoldfastError } from '../model/errors.ts'
import { show } from '../model/show.ts'
import type { AnyTask } from './contract.ts'
import type { ContractDefinition, TaskDefinition } from './definition.ts'

/**
 * What users hold and pass around carries its definition under this symbol. A registered one, since an app may load this
 * package twice (a config loader, a bundle): a task made with one copy is a task for the other.
 */
const DEFINITION = Symbol.for('holdfast.definition')

/** Marks a value as a task or contract; not enumerable, so that logging a task shows its name and not its schema. */
export function withDefinition<T extends object>(value: T, definition: ContractDefinition): T {
  Object.defineProperty(value, DEFINITION, { value: Object.freeze(definition) })
  return Object.freeze(value)
}

/** The value that `jobs.task()` and `jobs.iteration()` give back. */
export function taskHandle(definition: TaskDefinition): AnyTask {
  const { name, queue, kind } = definition
  // `~types` and `~accepts` exist for the compiler only.
  return withDefinition({ name, queue, kind }, definition) as AnyTask
}

/** The definition behind a contract or a task, or `undefined` for anything else. */
export function definitionOf(value: unknown): ContractDefinition | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as { [DEFINITION]?: ContractDefinition })[DEFINITION]
}

/** The definition behind a task, or `undefined` for anything else, a contract included. */
export function taskDefinitionOf(value: unknown): TaskDefinition | undefined {
  const definition = definitionOf(value)
  return definition !== undefined && 'kind' in definition ? (definition as TaskDefinition) : undefined
}

/**
 * What `enqueue` was given to enqueue.
 * @throws {HoldfastError} HF_CONFIG for anything but a task or a contract.
 */
export function contractOf(value: unknown, caller: string): ContractDefinition {
  const definition = definitionOf(value)
  if (definition !== undefined) return definition
  const hint = typeof value === 'string' ? ': import the task or its contract, not its name' : ''
  throw new HoldfastError('HF_CONFIG', `${caller}() takes a task or a contract, not ${show(value)}${hint}`)
}
