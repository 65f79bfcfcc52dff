import { HoldfastError } from '../model/errors.ts'
import { encodeInput } from '../model/json.ts'
import { checkInteger, checkKeys } from '../model/options.ts'
import { parseWhen, type When } from '../model/when.ts'
import type { NewJob } from '../store/enqueue.ts'
import type { ContractDefinition } from '../tasks/definition.ts'
import type { EnqueueOptions } from '../tasks/enqueue-options.ts'
import { contractOf } from '../tasks/handle.ts'
import { checkQueue } from '../tasks/queues.ts'
import { parseInput } from '../tasks/validate.ts'
import { uuidv7 } from './ids.ts'

const OPTION_KEYS = ['tx', 'queue', 'after', 'expires', 'priority'] as const

/** What is the same for every job of one call: checked once. */
export interface JobTemplate {
  readonly contract: ContractDefinition
  readonly queue: string
  readonly priority: number
  readonly expires: When | null
  readonly after: When | null
  readonly maxBytes: number
}

/** The task and the options of a call, checked: names, queue, times. */
export function jobTemplate(
  what: unknown,
  options: EnqueueOptions<string, unknown> | undefined,
  queues: ReadonlySet<string>,
  maxBytes: number,
  caller: string,
): JobTemplate {
  const contract = contractOf(what, caller)
  if (options === undefined) {
    return {
      contract,
      queue: contract.queue,
      priority: contract.priority,
      expires: standing(contract),
      after: null,
      maxBytes,
    }
  }
  const { queue, after, expires, priority } = checkKeys(options, OPTION_KEYS, `The options of ${caller}()`)
  return {
    contract,
    maxBytes,
    queue: queue === undefined ? contract.queue : checkQueue(queue, queues, `${caller}(${contract.name})`),
    priority: priority === undefined ? contract.priority : checkInteger(priority, 0, 9, 'priority'),
    expires: expires === undefined ? standing(contract) : parseWhen(expires, 'expires'),
    after: after === undefined ? null : parseWhen(after, 'after'),
  }
}

function standing(contract: ContractDefinition): When | null {
  return contract.expires === undefined ? null : { kind: 'delay', ms: contract.expires }
}

/** A job with its input checked against the schema. The raw input is what is stored: it is parsed again when the job runs. */
export async function newJob(template: JobTemplate, input: unknown): Promise<NewJob> {
  const text = textOf(template, input)
  const parsed = parseInput(template.contract, input)
  if (parsed instanceof Promise) await parsed
  return row(template, text)
}

/** The same at once, for `ctx.enqueue`. */
export function newJobNow(template: JobTemplate, input: unknown): NewJob {
  const text = textOf(template, input)
  const parsed = parseInput(template.contract, input)
  if (parsed instanceof Promise) {
    parsed.catch(() => {})
    const { name } = template.contract
    throw new HoldfastError(
      'HF_INPUT',
      `The schema of task ${name} answers with a promise: ctx.enqueue() must know at once. Use jobs.enqueue().`,
    )
  }
  return row(template, text)
}

function textOf(template: JobTemplate, input: unknown): string | null {
  return input === undefined ? null : encodeInput(input, { maxBytes: template.maxBytes })
}

function row(template: JobTemplate, input: string | null): NewJob {
  const { contract, queue, priority, expires, after } = template
  return { id: uuidv7(), queue, task: contract.name, version: contract.version, priority, input, expires, after }
}
