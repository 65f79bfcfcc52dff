import { controlOf } from '../model/control.ts'
import { HoldfastError, isHoldfastError } from '../model/errors.ts'
import { show } from '../model/show.ts'
import { taskKey } from '../model/task-key.ts'
import type { TaskDefinition, UpgradeChain, UpgradeStep } from './definition.ts'
import { parseInput } from './validate.ts'

/** All that a worker takes, in one order: its marks belong to exactly this set. */
export function taskKeys(tasks: ReadonlyMap<string, TaskDefinition>): readonly string[] {
  return [...tasks].flatMap(([name, task]) => task.versions.map((version) => taskKey(name, version))).sort()
}

/**
 * @param what the task in messages: `task send-receipt`.
 * @throws {HoldfastError} HF_CONFIG for a step that leads nowhere.
 */
export function resolveUpgrades(steps: unknown, version: number, option: string, what: string): UpgradeChain {
  if (steps === undefined) return new Map()
  if (typeof steps !== 'object' || steps === null || Array.isArray(steps)) {
    throw new HoldfastError(
      'HF_CONFIG',
      `${option} of ${what} must be an object with a function for each older version, not ${show(steps)}`,
    )
  }
  const chain = Object.entries(steps).map(([key, step]): [number, UpgradeStep] => {
    const from = Number(key)
    if (!Number.isInteger(from) || from < 1 || from >= version) {
      const why =
        version === 1 ? 'it is at version 1, and there is none before' : `its keys go from 1 to ${version - 1}`
      throw new HoldfastError('HF_CONFIG', `${option} of ${what} has no place for ${show(key)}: ${why}`)
    }
    if (typeof step === 'function') return [from, step as UpgradeStep]
    throw new HoldfastError('HF_CONFIG', `${option} of ${what} must be a function at ${from}, not ${show(step)}`)
  })
  return new Map(chain.sort(([one], [other]) => one - other))
}

/** The versions of inputs that a task takes, the oldest first: its own, and each from which steps lead to it without a gap. */
export function versionsTaken(upgrades: UpgradeChain, version: number, what: string): readonly number[] {
  const oldest = Math.min(version, ...upgrades.keys())
  for (let from = oldest; from < version; from++) {
    if (upgrades.has(from)) continue
    throw new HoldfastError(
      'HF_CONFIG',
      `upgrade of ${what} leads from version ${oldest} to ${from}, and ends there: a step from ${from} to ${from + 1} is missing`,
    )
  }
  return Object.freeze(Array.from({ length: version - oldest + 1 }, (_, index) => oldest + index))
}

/** Of tasks at a higher version that say nothing of the ones before: perhaps on purpose. `upgrade: {}` says that it is. */
export function versionWarnings(tasks: readonly TaskDefinition[]): readonly string[] {
  return tasks
    .filter(({ version, upgrades }) => version > 1 && upgrades === undefined)
    .map(({ name, version }) => {
      const older = version === 2 ? 'version 1' : `versions 1 to ${version - 1}`
      return `Task ${name} takes inputs of version ${version} alone: jobs of ${older} wait for a worker that takes them. \`upgrade\` takes them over; \`upgrade: {}\` says that they may wait`
    })
}

/** A job's input at the task's own version: as it would have been enqueued today, and as the schema parses it. */
export interface Upgraded {
  readonly raw: unknown
  readonly parsed: unknown
}

/** @throws {HoldfastError} HF_UPGRADE, naming the versions. */
export async function upgradeInput(task: TaskDefinition, from: number, raw: unknown): Promise<Upgraded> {
  const upgraded = await climb(task.upgrades ?? new Map(), raw, from, task, 'input')
  try {
    return { raw: upgraded, parsed: await parseInput(task, upgraded) }
  } catch (error) {
    if (!isHoldfastError(error, 'HF_INPUT')) throw error
    const said = error.message.replace(` [${error.code}]`, '')
    throw new HoldfastError('HF_UPGRADE', `An input of version ${from} was upgraded to ${task.version}: ${said}`, {
      cause: error,
    })
  }
}

/** @throws {HoldfastError} HF_UPGRADE, naming the versions. */
export async function upgradeCursor(task: TaskDefinition, from: number, cursor: unknown): Promise<unknown> {
  const upgraded = await climb(task.cursorUpgrades, cursor, from, task, 'cursor')
  if (upgraded !== undefined) return upgraded
  throw new HoldfastError(
    'HF_UPGRADE',
    `upgradeCursor of ${task.kind} ${task.name} made nothing of a cursor of version ${from}: ${show(cursor)}`,
  )
}

async function climb(
  chain: UpgradeChain,
  value: unknown,
  from: number,
  { kind, name, version }: TaskDefinition,
  what: 'input' | 'cursor',
): Promise<unknown> {
  let climbed = value
  for (let at = from; at < version; at++) {
    const step = chain.get(at)
    if (step === undefined) continue
    try {
      climbed = await step(climbed)
    } catch (error) {
      // It asks for something: to discard the job, or to wait.
      if (controlOf(error) !== undefined) throw error
      const said = error instanceof Error ? error.message : show(error)
      const way = from === at && version === at + 1 ? '' : ` (on the way from ${from} to ${version})`
      throw new HoldfastError(
        'HF_UPGRADE',
        `The ${what} of ${kind} ${name} could not be upgraded from version ${at} to ${at + 1}${way}: ${said}`,
        { cause: error },
      )
    }
  }
  return climbed
}
