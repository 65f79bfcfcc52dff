import { HoldfastError } from '../model/errors.ts'
import { checkKeys } from '../model/options.ts'
import { show } from '../model/show.ts'
import type { Holdfast } from './client.ts'
import type { AnyContract } from './contract.ts'
import {
  type AnyIterationBody,
  type AnyTaskBody,
  ITERATION_KEYS,
  resolveIteration,
  resolveTask,
  TASK_KEYS,
} from './define.ts'
import { type AnyContractOptions, CONTRACT_KEYS, checkNamed, resolveContract } from './define-contract.ts'
import type { ContractDefinition } from './definition.ts'
import { definitionOf, taskDefinitionOf, taskHandle, withDefinition } from './handle.ts'
import { checkQueue } from './queues.ts'

/** The part of a client that makes tasks. It touches no database: everything is checked where it is written. */
export type Maker<Q extends string, Tx> = Pick<Holdfast<Q, Tx>, 'contract' | 'task' | 'iteration' | 'implement'>

/** What a definition at once, without a contract of its own, may say about its contract. */
const INLINE_KEYS = CONTRACT_KEYS.filter((key) => key !== 'result')

/** @param queues all there are, `default` included. */
export function makerFor<Q extends string, Tx>(queues: ReadonlySet<Q>): Maker<Q, Tx> {
  const maker = {
    contract(options: AnyContractOptions) {
      const { name } = checkNamed(options, 'jobs.contract')
      const what = `contract ${name}`
      checkKeys(options, CONTRACT_KEYS, what)
      return contractHandle(resolveContract(options, queues, what))
    },
    task(options: AnyContractOptions & AnyTaskBody) {
      const { name } = checkNamed(options, 'jobs.task')
      const what = `task ${name}`
      checkKeys(options, [...INLINE_KEYS, ...TASK_KEYS] as never, what)
      return taskHandle(resolveTask(resolveContract(options, queues, what), options, what))
    },
    iteration(options: AnyContractOptions & AnyIterationBody) {
      const { name } = checkNamed(options, 'jobs.iteration')
      const what = `iteration ${name}`
      refuseForIteration(options, what)
      checkKeys(options, [...INLINE_KEYS, ...ITERATION_KEYS] as never, what)
      return taskHandle(resolveIteration(resolveContract(options, queues, what), options, what))
    },
    implement(contract: AnyContract) {
      const definition = definitionOf(contract)
      if (definition === undefined || taskDefinitionOf(contract) !== undefined) {
        const given = definition === undefined ? show(contract) : `the task ${definition.name}, which has its body`
        throw new HoldfastError('HF_CONFIG', `jobs.implement() takes a contract, not ${given}`)
      }
      checkQueue(definition.queue, queues, `contract ${definition.name}`)
      return contractHandle(definition)
    },
  }
  return maker as unknown as Maker<Q, Tx>
}

function contractHandle(definition: ContractDefinition): object {
  const { name, queue } = definition
  const handle = {
    name,
    queue,
    task(body: AnyTaskBody) {
      const what = `task ${name}`
      refuseInBody(body, what)
      return taskHandle(resolveTask(definition, checkKeys(body, TASK_KEYS, what), what))
    },
    iteration(body: AnyIterationBody) {
      const what = `iteration ${name}`
      refuseInBody(body, what)
      refuseForIteration(body, what)
      return taskHandle(resolveIteration(definition, checkKeys(body, ITERATION_KEYS as never, what), what))
    },
  }
  return withDefinition(handle, definition)
}

/** Two places that say a task's queue would be two truths. */
function refuseInBody(body: object, what: string): void {
  const key = CONTRACT_KEYS.find((each) => typeof body === 'object' && body !== null && Object.hasOwn(body, each))
  if (key === undefined) return
  throw new HoldfastError('HF_CONFIG', `\`${key}\` of ${what} belongs in its contract: producers must know it too`)
}

/** They are options of a task: here they need an explanation, not a "no such option". */
function refuseForIteration(options: object, what: string): void {
  for (const [key, reason] of [
    ['delivery', 'a job that resumes has started more than once'],
    ['interrupt', 'an iteration always resumes at its checkpoint'],
    ['run', 'it has `items` and `each`'],
  ] as const) {
    if (Object.hasOwn(options, key)) throw new HoldfastError('HF_CONFIG', `${what} takes no \`${key}\`: ${reason}`)
  }
}
