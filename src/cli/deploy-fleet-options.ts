import path from 'node:path'
import { Option } from '@commander-js/extra-typings'
import { BullFleet } from '../deploy/fleets/bullmq.ts'
import { CeleryFleet } from '../deploy/fleets/celery.ts'
import type { Fleet } from '../deploy/fleets/fleet.ts'
import type { Requirement } from '../deploy/fleets/prepare-fleet.ts'
import { parseDuration } from '../model/duration.ts'
import { UsageError } from './failure.ts'

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
  readonly json?: true | undefined
}

/** What `deploy prepare`, `finish` and `abort` take for such a fleet. */
export const FLEET_OPTIONS = [
  new Option('--fleet <system>', "the gate for a fleet of another job system: 'celery' or 'bullmq'"),
  new Option('--celery <command>', "Celery: the command line of your app (default: 'celery')"),
  new Option('--expect <names>', 'Celery: workers that must answer, as in a@host,b@host'),
  new Option('--reply <duration>', 'Celery: how long a worker may take to answer (default: 2s)'),
  new Option('--redis <url>', 'BullMQ: its Redis (default: REDIS_URL)'),
  new Option('--prefix <prefix>', "BullMQ: the prefix of its keys (default: 'bull')"),
  new Option('--interruptible <names>', 'tasks that may be interrupted, beside those that say so themselves'),
  new Option('--state <file>', 'where it is written down what was paused (default: .holdfast/deploy-<system>.json)'),
] as const

const SYSTEMS = ['celery', 'bullmq'] as const
export type System = (typeof SYSTEMS)[number]

export interface FleetRequest {
  readonly system: System
  readonly require: Requirement
  readonly timeoutMs: number
  readonly stateFile: string
  /** Opened late: a command line that cannot work is refused before anything is loaded. */
  readonly open: () => Fleet & Partial<AsyncDisposable>
  /** The words that name this fleet on a command line. */
  readonly words: readonly string[]
}

export function fleetRequest(options: FleetOptions): FleetRequest {
  const system = SYSTEMS.find((name) => name === options.fleet)
  if (system === undefined)
    throw new UsageError(`--fleet must be one of ${SYSTEMS.join(', ')}, not '${options.fleet}'.`)
  const { require = 'interruptible', timeout = '10m', state, interruptible } = options
  if (require !== 'interruptible' && require !== 'idle') {
    throw new UsageError(`--require must be 'interruptible' or 'idle', not '${require}'.`)
  }
  return {
    system,
    require,
    timeoutMs: duration(timeout, '--timeout'),
    stateFile: state ?? path.join('.holdfast', `deploy-${system}.json`),
    words: wordsOf(options),
    open: system === 'celery' ? celery(options) : bullmq(options, listOf(interruptible)),
  }
}

function celery({ celery: line = 'celery', expect, reply = '2s', queues, interruptible }: FleetOptions): () => Fleet {
  if (queues !== undefined) throw new UsageError('--queues does not go with Celery: each worker is paused as a whole.')
  const replyMs = duration(reply, '--reply')
  if (replyMs < 100) throw new UsageError(`--reply must be at least 100ms, not '${reply}'.`)
  const words = splitCommand(line)
  if (words.length === 0) throw new UsageError("--celery must name a command, like 'celery -A proj'.")
  return () => new CeleryFleet({ line: words, replyMs, expect: listOf(expect), interruptible: listOf(interruptible) })
}

function bullmq(options: FleetOptions, interruptible: readonly string[]): () => Fleet {
  const redis = options.redis ?? process.env['REDIS_URL']
  if (redis === undefined || redis === '')
    throw new UsageError('BullMQ needs --redis redis://host:6379 (or REDIS_URL).')
  const queues = listOf(options.queues)
  if (queues.length === 0) throw new UsageError('BullMQ needs --queues NAME,NAME: which of its queues to pause.')
  const { prefix } = options
  return () =>
    new BullFleet({ redis, queues, interruptible, folder: process.cwd(), ...(prefix !== undefined && { prefix }) })
}

function duration(text: string, what: string): number {
  try {
    return parseDuration(text, what)
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/ \[HF_\w+\]/, ''))
  }
}

function listOf(names: string | undefined): string[] {
  return (names ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
}

/** Words, of which some may stand in quotes. There is no shell in between. */
export function splitCommand(line: string): string[] {
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? []
  return words.map((word) => (/^(["']).*\1$/.test(word) ? word.slice(1, -1) : word))
}

function wordsOf(options: FleetOptions): string[] {
  const names = ['fleet', 'celery', 'redis', 'prefix', 'queues', 'state'] as const
  return names.flatMap((name) => {
    const value = options[name]
    return value === undefined ? [] : [`--${name}`, /^[\w@./:,=+-]+$/.test(value) ? value : `'${value}'`]
  })
}
