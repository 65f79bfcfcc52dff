import type { StandardSchemaV1 } from '@standard-schema/spec'
import { HoldfastError } from '../model/errors.ts'
import { show } from '../model/show.ts'
import type { ContractDefinition } from './definition.ts'
import { describeIssues } from './issues.ts'

/**
 * A job's input as its schema parses it; checked when the job is enqueued, and again when it runs, from the raw input
 * that was stored. Answers at once when the schema does, since almost every schema does.
 * @throws {HoldfastError} HF_INPUT (thrown, or the promise's), naming the task and the places that do not fit.
 */
export function parseInput(definition: Pick<ContractDefinition, 'name' | 'input'>, raw: unknown): unknown {
  const { name, input } = definition
  if (input === undefined) {
    if (raw === undefined || raw === null) return undefined
    throw new HoldfastError('HF_INPUT', `Task ${name} takes no input, but was given ${show(raw)}`)
  }
  try {
    const result = input['~standard'].validate(raw)
    if (!isThenable(result)) return accept(name, result)
    return Promise.resolve(result).then(
      (late) => accept(name, late),
      (error: unknown) => refuse(name, error),
    )
  } catch (error) {
    return refuse(name, error)
  }
}

function accept(name: string, result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value
  throw new HoldfastError(
    'HF_INPUT',
    `The input of task ${name} does not fit its schema: ${describeIssues(result.issues, 'input')}`,
  )
}

/** The schema's own code threw: a transform or a refinement that expects more than it checks. */
function refuse(name: string, error: unknown): never {
  if (error instanceof HoldfastError) throw error
  const said = error instanceof Error ? error.message : show(error)
  throw new HoldfastError('HF_INPUT', `The schema of task ${name} threw on this input: ${said}`, { cause: error })
}

function isThenable(value: unknown): value is PromiseLike<StandardSchemaV1.Result<unknown>> {
  return typeof (value as { then?: unknown } | null)?.then === 'function'
}
