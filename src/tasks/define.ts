import { type Duration, MAX_DURATION_MS } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import { resolveLegacy } from '../model/legacy.ts'
import { checkName } from '../model/name.ts'
import { checkChoice, checkDuration, checkInteger } from '../model/options.ts'
import { resolveRetry } from '../model/retry.ts'
import { show } from '../model/show.ts'
import { resolveTimeLimit } from '../model/time-limit.ts'
import type { IterationBody, TaskBody } from './body.ts'
import type { ContractDefinition, IterationBodyDefinition, TaskDefinition } from './definition.ts'
import { resolveIsolate } from './isolate.ts'
import type { Policy } from './policy.ts'
import { resolveUpgrades, versionsTaken } from './versions.ts'

export type AnyTaskBody = TaskBody<string, unknown, unknown, unknown>
export type AnyIterationBody = IterationBody<
  string,
  unknown,
  unknown,
  unknown,
  unknown,
  'transactional' | 'periodic',
  unknown
>

export const TASK_KEYS = [
  ...['retry', 'delivery', 'timeLimit', 'onTimeout', 'isolate', 'legacy', 'aliases', 'upgrade', 'interrupt', 'run'],
] as const
export const ITERATION_KEYS = [
  ...[
    'retry',
    'timeLimit',
    'onTimeout',
    'isolate',
    'stallAfter',
    'aliases',
    'upgrade',
    'upgradeCursor',
    'start',
    'items',
    'partitions',
    'prepare',
    'checkpoint',
  ],
  ...['concurrency', 'maxSlotTime', 'each', 'done'],
] as const

const STALL_AFTER_MS = 5 * 60_000
/** More at once is a queue's work, not one job's. */
const MAX_CONCURRENCY = 1_000
const MAX_PARTITIONS = 1_000

/** @param what the task in messages: `task send-receipt`. */
export function resolveTask(contract: ContractDefinition, body: AnyTaskBody, what: string): TaskDefinition {
  const { delivery = 'at-least-once', interrupt = 'finish', legacy, run } = body
  if (legacy !== undefined && interrupt !== 'finish') {
    const why = `only a task that must finish can be too long for a deploy`
    throw new HoldfastError('HF_CONFIG', `${what} takes no \`legacy\` with interrupt: '${interrupt}': ${why}`)
  }
  const definition: TaskDefinition = {
    ...contract,
    ...resolvePolicy(contract, body, what),
    kind: 'task',
    interrupt: checkChoice(interrupt, ['finish', 'restart'], `interrupt of ${what}`),
    delivery: checkChoice(delivery, ['at-least-once', 'at-most-once'], `delivery of ${what}`),
    legacy: resolveLegacy(legacy, `legacy of ${what}`),
    stallAfter: undefined,
    cursorUpgrades: new Map(),
    run: checkFunction(run, `run of ${what}`) as TaskDefinition['run'],
    iteration: undefined,
  }
  return definition.delivery === 'at-most-once' ? onceOnly(definition, what) : definition
}

/** Nothing may start it again: neither a retry nor a deploy. */
function onceOnly(definition: TaskDefinition, what: string): TaskDefinition {
  const { retryOptions, interrupt } = definition
  if (retryOptions !== undefined && retryOptions !== false) refuseAgain(what, 'retry')
  if (interrupt === 'restart') refuseAgain(what, "interrupt: 'restart'")
  return { ...definition, retry: false, retryOptions: false }
}

function refuseAgain(what: string, option: string): never {
  throw new HoldfastError(
    'HF_CONFIG',
    `delivery of ${what} is 'at-most-once': nothing may start it again, so leave out \`${option}\``,
  )
}

/** @param what the task in messages: `iteration import-orders`. */
export function resolveIteration(contract: ContractDefinition, body: AnyIterationBody, what: string): TaskDefinition {
  const { start, items, partitions = 1, prepare, checkpoint = 'transactional', concurrency = 1 } = body
  const { maxSlotTime, each, done } = body
  const iteration = {
    start: start && checkFunction(start, `start of ${what}`),
    items: checkFunction(items, `items of ${what}`),
    partitions: checkInteger(partitions, 1, MAX_PARTITIONS, `partitions of ${what}`),
    prepare: prepare && checkFunction(prepare, `prepare of ${what}`),
    checkpoint: checkChoice(checkpoint, ['transactional', 'periodic'], `checkpoint of ${what}`),
    concurrency: checkInteger(concurrency, 1, MAX_CONCURRENCY, `concurrency of ${what}`),
    maxSlotTime:
      maxSlotTime === undefined ? undefined : checkDuration(maxSlotTime, 1, MAX_DURATION_MS, `maxSlotTime of ${what}`),
    each: checkFunction(each, `each of ${what}`),
    done: done && checkFunction(done, `done of ${what}`),
  } as IterationBodyDefinition
  return {
    ...contract,
    ...resolvePolicy(contract, body, what),
    kind: 'iteration',
    interrupt: 'resume',
    legacy: undefined,
    stallAfter: resolveStallAfter(body.stallAfter, `stallAfter of ${what}`),
    delivery: 'at-least-once',
    cursorUpgrades: cursorUpgrades(contract, body, what),
    run: undefined,
    iteration: Object.freeze(iteration),
  }
}

type Shared = Policy & { readonly onTimeout?: unknown; readonly upgrade?: unknown }

function resolvePolicy(contract: ContractDefinition, policy: Shared, what: string) {
  const { retry, timeLimit, onTimeout, isolate, aliases = [], upgrade } = policy
  const upgrades = resolveUpgrades(upgrade, contract.version, 'upgrade', what)
  return {
    versions: versionsTaken(upgrades, contract.version, what),
    upgrades: upgrade === undefined ? undefined : upgrades,
    onTimeout: (onTimeout && checkFunction(onTimeout, `onTimeout of ${what}`)) as TaskDefinition['onTimeout'],
    aliases: checkAliases(aliases, contract.name, what),
    retry: resolveRetry(retry, `retry of ${what}`),
    retryOptions: retry,
    timeLimit: resolveTimeLimit(timeLimit, `timeLimit of ${what}`),
    ownLimit: timeLimit !== undefined,
    isolate: resolveIsolate(isolate, `isolate of ${what}`),
  }
}

/** A cursor comes with its input: where no step takes the input over, none is asked for the cursor. */
function cursorUpgrades({ version }: ContractDefinition, { upgrade, upgradeCursor }: AnyIterationBody, what: string) {
  const steps = resolveUpgrades(upgradeCursor, version, 'upgradeCursor', what)
  const taken = versionsTaken(resolveUpgrades(upgrade, version, 'upgrade', what), version, what)
  const idle = [...steps.keys()].find((from) => !taken.includes(from))
  if (idle === undefined) return steps
  throw new HoldfastError(
    'HF_CONFIG',
    `upgradeCursor of ${what} has a step from version ${idle}, whose inputs it does not take: \`upgrade\` has none`,
  )
}

/** `false`: never. */
function resolveStallAfter(stallAfter: Duration | false | undefined, what: string): number | undefined {
  if (stallAfter === false) return undefined
  return stallAfter === undefined ? STALL_AFTER_MS : checkDuration(stallAfter, 100, MAX_DURATION_MS, what)
}

function checkAliases(aliases: readonly string[], name: string, what: string): readonly string[] {
  if (!Array.isArray(aliases)) {
    throw new HoldfastError('HF_CONFIG', `aliases of ${what} must be a list of names, not ${show(aliases)}`)
  }
  for (const alias of aliases) {
    checkName('task', alias)
    if (alias === name) throw new HoldfastError('HF_CONFIG', `aliases of ${what} names the task itself`)
  }
  return Object.freeze([...new Set(aliases)])
}

function checkFunction(value: unknown, what: string): unknown {
  if (typeof value === 'function') return value
  throw new HoldfastError('HF_CONFIG', `${what} must be a function, not ${show(value)}`)
}
