import { MAX_DURATION_MS } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import { checkName } from '../model/name.ts'
import { checkDuration, checkInteger } from '../model/options.ts'
import { show } from '../model/show.ts'
import type { ContractOptions } from './contract.ts'
import type { ContractDefinition } from './definition.ts'
import { checkQueue, DEFAULT_QUEUE } from './queues.ts'
import type { Schema } from './schema.ts'

export type AnyContractOptions = ContractOptions<string, Schema, Schema, string>

export const CONTRACT_KEYS = ['name', 'queue', 'input', 'result', 'priority', 'expires', 'version'] as const

export const DEFAULT_PRIORITY = 5
/** The column is a smallint. */
const MAX_VERSION = 32_767

/** The options of anything that is defined, as an object with a valid name: the messages after this one can use it. */
export function checkNamed<T extends { readonly name: string }>(options: T, maker: string): T {
  if (typeof options !== 'object' || options === null) {
    throw new HoldfastError('HF_CONFIG', `${maker}() takes an object of options, not ${show(options)}`)
  }
  checkName('task', options.name)
  return options
}

/** @param what the task in messages: `task send-receipt`. */
export function resolveContract(
  options: AnyContractOptions,
  queues: ReadonlySet<string>,
  what: string,
): ContractDefinition {
  const { name, queue = DEFAULT_QUEUE, input, result, priority = DEFAULT_PRIORITY, expires, version = 1 } = options
  return {
    name,
    queue: checkQueue(queue, queues, what),
    version: checkInteger(version, 1, MAX_VERSION, `version of ${what}`),
    priority: checkInteger(priority, 0, 9, `priority of ${what}`),
    expires: expires === undefined ? undefined : checkDuration(expires, 1, MAX_DURATION_MS, `expires of ${what}`),
    input: checkSchema(input, `input of ${what}`),
    result: checkSchema(result, `result of ${what}`),
  }
}

function checkSchema(schema: unknown, what: string): Schema | undefined {
  if (schema === undefined) return undefined
  // An arktype schema is a function, so the kind of value says nothing.
  const standard = (schema as Partial<Schema> | null)?.['~standard']
  if (standard?.version === 1 && typeof standard.validate === 'function') return schema as Schema
  throw new HoldfastError(
    'HF_CONFIG',
    `${what} must be a schema that follows Standard Schema (zod, valibot, arktype, …), not ${show(schema)}`,
  )
}
