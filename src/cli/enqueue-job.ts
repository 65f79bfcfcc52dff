import type { Duration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import { suggestion } from '../model/name.ts'
import { printable } from '../model/printable.ts'
import type { AnyContract } from '../tasks/contract.ts'
import type { TaskDefinition } from '../tasks/definition.ts'
import { taskHandle } from '../tasks/handle.ts'
import { wholeNumber } from './arguments.ts'
import { type LoadedApp, loadApp } from './config.ts'
import { messageOf, UsageError } from './failure.ts'
import { colors, print, printJson } from './output.ts'

interface EnqueueCommandOptions {
  readonly queue?: string | undefined
  readonly after?: string | undefined
  readonly priority?: string | undefined
  readonly config?: string | undefined
  readonly json?: true | undefined
}

/** The client, for an input that only its schema knows. */
interface Enqueuer {
  enqueue(task: AnyContract, input: unknown, options: object): Promise<{ readonly id: string }>
}

/** Enqueues through the app's own client: the same checks, schema included, as in the application. */
export async function enqueueJob(
  name: string,
  input: string | undefined,
  options: EnqueueCommandOptions,
): Promise<void> {
  const { queue, after, priority } = options
  const how = {
    ...(queue !== undefined && { queue }),
    ...(after !== undefined && { after: whenOf(after) }),
    ...(priority !== undefined && { priority: wholeNumber(priority, 0, 9, '--priority') }),
  }
  const given = input === undefined ? undefined : parse(input === '-' ? await readStdin() : input)

  const loaded = await loadApp(options.config)
  const task = find(loaded, name)
  const { jobs } = loaded.app
  try {
    const { id } = await (jobs as Enqueuer).enqueue(taskHandle(task), given, how)
    const where = queue ?? task.queue
    if (options.json) printJson({ id, task: task.name, queue: where })
    else print(`${colors.green('ok')} ${task.name} is enqueued in ${where} as ${id}`)
  } finally {
    await jobs.close()
  }
}

function find({ internals, file }: LoadedApp, name: string): TaskDefinition {
  const { registry } = internals
  const task = registry.get(name)
  if (task !== undefined) return task
  const known = registry.names.length === 0 ? '' : ` Tasks: ${registry.names.toSorted().join(', ')}`
  throw new HoldfastError(
    'HF_TASK_NOT_FOUND',
    `${file} has no task '${name}'.${suggestion(name, registry.names)}${known}`,
  )
}

/** More than any `maxInputBytes` allows; what fits is checked by `enqueue`. */
const MOST_BYTES = 64 * 1024 * 1024

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new UsageError('What stdin has is larger than any input may be.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    const hint = /^[A-Za-z_]/.test(json.trim()) ? ' A text needs quotes of its own: \'"text"\'.' : ''
    throw new UsageError(`The input is not JSON: ${printable(messageOf(error))}.${hint}`)
  }
}

/** A duration is told from a date by its unit; both are checked by `enqueue`. */
function whenOf(after: string): Duration | Date {
  if (!/^\d{4}-\d\d/.test(after)) return after as Duration
  const date = new Date(after)
  if (Number.isNaN(date.getTime()))
    throw new UsageError(`--after is no date: '${after}'. Write it as 2026-11-21T02:30:00Z.`)
  return date
}
