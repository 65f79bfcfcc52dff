import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import type { FleetOptions, System } from './deploy-fleet-options.ts'
import { UsageError } from './failure.ts'

type Verb = 'prepare' | 'resume'

/** By the names of their attributes, what every fleet takes, and what only one system does. */
const ALWAYS = ['fleet', 'state', 'json']
const TO_PREPARE = ['timeout', 'require', 'interruptible', 'takeOver']
const OF_SYSTEM: Readonly<Record<System, Readonly<Record<Verb, readonly string[]>>>> = {
  celery: { prepare: ['celery', 'reply', 'expect'], resume: ['celery', 'reply'] },
  bullmq: { prepare: ['redis', 'prefix', 'queues'], resume: ['redis', 'prefix', 'queues'] },
}
/** Meaningless for workers of Holdfast. */
const FOREIGN: Readonly<Record<Verb, readonly string[]>> = {
  prepare: ['celery', 'reply', 'expect', 'redis', 'prefix', 'interruptible', 'state', 'takeOver'],
  resume: ['celery', 'reply', 'redis', 'prefix', 'queues', 'state'],
}

/**
 * Whether a command line is about a fleet of another job system.
 * @throws {UsageError} for every option that was given and would do nothing: a `--dry-run` that pauses is none.
 */
export function meansFleet(
  command: CommandUnknownOpts,
  options: object,
  verb: Verb,
  number?: string,
): options is FleetOptions {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
  const among = (names: readonly string[]) => (option: Option) => names.includes(option.attributeName())
  const { fleet } = options as Partial<FleetOptions>
  if (fleet === undefined) {
    const foreign = given.filter(among(FOREIGN[verb]))
    if (foreign.length === 0) return false
    throw new UsageError(`${listed(foreign)}: only with --fleet. Without it, the workers of Holdfast are meant.`)
  }
  if (number !== undefined)
    throw new UsageError(`Deploys of other systems have no numbers: leave out '${number}', or --fleet.`)
  // One that does not exist is refused by name, later.
  if (!Object.hasOwn(OF_SYSTEM, fleet)) return true
  const known = among([...ALWAYS, ...(verb === 'prepare' ? TO_PREPARE : []), ...OF_SYSTEM[fleet as System][verb]])
  const idle = given.filter((option) => !known(option))
  if (idle.length === 0) return true
  throw new UsageError(
    `${listed(idle)}: not with --fleet ${fleet}, which takes ${listed(command.options.filter(known))}.`,
  )
}

function listed(options: readonly Option[]): string {
  return options.map(({ long }) => long).join(', ')
}
