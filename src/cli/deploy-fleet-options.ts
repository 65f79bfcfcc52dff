import path from 'node:path'
import { Option } from '@commander-js/extra-typings'
import { BullFleet } from '../deploy/fleets/bullmq.ts'
import { CeleryFleet } from '../deploy/fleets/celery.ts'
import type { Fleet } from '../deploy/fleets/fleet.ts'
import { MAX_DURATION_MS } from '../model/duration.ts'
import { maskSecrets } from '../model/mask.ts'
import { shellWord } from '../model/shell-word.ts'
import type { DeployRequirement } from '../store/deploys.ts'
import { UsageError } from './failure.ts'
import { durationOf, namesOf, requirementOf } from './option-values.ts'

export interface FleetOptions {
  /** `celery` or `bullmq`. */
  readonly fleet: string
  readonly timeout?: string | undefined
  readonly require?: string | undefined
  readonly celery?: string | undefined
  readonly redis?: string | undefined
  readonly queues?: string | undefined
  readonly prefix?: string | undefined
  readonly expect?: string | undefined
  readonly interruptible?: string | undefined
  readonly reply?: string | undefined
  readonly state?: string | undefined
  readonly takeOver?: true | undefined
  readonly json?: true | undefined
}

/** What `deploy prepare`, `finish` and `abort` take for such a fleet. */
export const FLEET_OPTIONS = [
  new Option('--fleet <system>', "the gate for a fleet of another job system: 'celery' or 'bullmq'"),
  new Option('--celery <command>', "Celery: the command line of your app (default: 'celery')"),
  new Option('--reply <duration>', 'Celery: how long a worker may take to answer (default: 2s)'),
  new Option('--redis <url>', 'BullMQ: its Redis (default: REDIS_URL)'),
  new Option('--prefix <prefix>', "BullMQ: the prefix of its keys (default: 'bull')"),
  new Option('--state <file>', 'where it is written down what was paused (default: .holdfast/deploy-<system>.json)'),
] as const

/** `prepare` has a `--queues` of its own. */
export const PREPARE_FLEET_OPTIONS = [
  new Option('--expect <names>', 'Celery: workers that must answer, as in a@host,b@host'),
  new Option(
    '--interruptible <names>',
    'of a fleet: tasks that may be interrupted, beside those that say so themselves',
  ),
  new Option('--take-over', 'of a fleet: also when an earlier gate was passed, and was not finished'),
] as const

export const RESUME_FLEET_OPTIONS = [
  new Option('--queues <names>', 'BullMQ: its queues (default: those that were paused)'),
] as const

const SYSTEMS = ['celery', 'bullmq'] as const
export type System = (typeof SYSTEMS)[number]

export interface FleetRequest {
  readonly system: System
  readonly require: DeployRequirement
  readonly timeoutMs: number
  readonly stateFile: string
  /**
   * Opened late: a command line that cannot work is refused before anything is loaded. `paused`: the queues that an earlier command
   * has left, for those that name none.
   */
  readonly open: (paused?: readonly string[]) => Fleet & Partial<AsyncDisposable>
  /** The words that name this fleet on a command line. A password is not among them. */
  readonly words: readonly string[]
  /** The address of its Redis has a password, and must be set where those words are used. */
  readonly secretRedis: boolean
}

/** What the options of `deploy prepare --fleet` say, or of `finish` and `abort`, which `resume`. */
export function fleetRequest(options: FleetOptions, verb: 'prepare' | 'resume'): FleetRequest {
  const system = SYSTEMS.find((name) => name === options.fleet)
  if (system === undefined)
    throw new UsageError(`--fleet must be one of ${SYSTEMS.join(', ')}, not '${options.fleet}'.`)
  const { require = 'interruptible', timeout = '10m', state } = options
  return {
    system,
    require: requirementOf(require),
    timeoutMs: durationOf(timeout, 0, MAX_DURATION_MS, '--timeout'),
    stateFile: state ?? path.join('.holdfast', `deploy-${system}.json`),
    words: wordsOf(options),
    secretRedis: options.redis !== undefined && hasPassword(options.redis),
    open: system === 'celery' ? celery(options) : bullmq(options, verb),
  }
}

function celery({ celery: line = 'celery', expect, reply = '2s', interruptible }: FleetOptions): () => Fleet {
  const replyMs = durationOf(reply, 100, MAX_DURATION_MS, '--reply')
  const words = splitCommand(line)
  if (words.length === 0) throw new UsageError("--celery must name a command, like 'celery -A proj'.")
  const settings = { expect: namesOf(expect, '--expect') ?? [], interruptible: interruptibleOf(interruptible) }
  return () => new CeleryFleet({ line: words, replyMs, ...settings })
}

function bullmq(options: FleetOptions, verb: 'prepare' | 'resume'): FleetRequest['open'] {
  const redis = options.redis ?? process.env['REDIS_URL']
  if (redis === undefined || redis === '')
    throw new UsageError('BullMQ needs --redis redis://host:6379 (or REDIS_URL).')
  const named = namesOf(options.queues, '--queues')
  if (named === undefined && verb === 'prepare')
    throw new UsageError('BullMQ needs --queues NAME,NAME: which of its queues to pause.')
  const { prefix } = options
  const interruptible = interruptibleOf(options.interruptible)
  return (paused = []) => {
    const queues = named ?? [...new Set(paused)]
    return new BullFleet({
      redis,
      queues,
      interruptible,
      folder: process.cwd(),
      ...(prefix !== undefined && { prefix }),
    })
  }
}

function interruptibleOf(names: string | undefined): readonly string[] {
  return namesOf(names, '--interruptible') ?? []
}

/** Words, of which some may stand in quotes. There is no shell in between. */
export function splitCommand(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  return words.map((word) => (/^(["']).*\1$/.test(word) ? word.slice(1, -1) : word))
}

/** For `finish` and `abort`: what was paused is in the state file. */
function wordsOf(options: FleetOptions): string[] {
  const names = ['fleet', 'celery', 'redis', 'prefix', 'state'] as const
  return names.flatMap((name) => {
    const value = options[name]
    if (value === undefined || (name === 'redis' && hasPassword(value))) return []
    return [`--${name}`, shellWord(value)]
  })
}

function hasPassword(url: string): boolean {
  return maskSecrets(url) !== url || (URL.canParse(url) && new URL(url).password !== '')
}
