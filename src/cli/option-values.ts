import type { Duration } from '../model/duration.ts'
import { isHoldfastError } from '../model/errors.ts'
import { checkChoice, checkDuration } from '../model/options.ts'
import { sanitizeText } from '../model/text.ts'
import type { DeployRequirement } from '../store/deploys.ts'
import { UsageError } from './failure.ts'

/** What options of the deploy commands say, checked. What cannot work is a `UsageError`: nothing was done. */

const MAX_REASON_BYTES = 500
/** A hold that nobody ends is over then. */
export const MAX_HOLD_MS = 7 * 24 * 60 * 60_000

/** A check of the model, on behalf of the command line. */
export function asUsage<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    if (!isHoldfastError(error)) throw error
    throw new UsageError(error.message.replace(` [${error.code}]`, ''), { cause: error })
  }
}

/** Milliseconds. */
export function durationOf(text: string, least: number, most: number, option: string): number {
  return asUsage(() => checkDuration(text as Duration, least, most, option))
}

export function requirementOf(text: string): DeployRequirement {
  return asUsage(() => checkChoice(text, ['interruptible', 'idle'] as const, '--require'))
}

export function reasonOf(text: string): string {
  return sanitizeText(text, MAX_REASON_BYTES)
}

/** `a,b`; undefined: the option was not given. */
export function namesOf(names: string | undefined, option: string): readonly string[] | undefined {
  if (names === undefined) return undefined
  const list = names.split(',').map((name) => name.trim())
  if (list.some((name) => name === ''))
    throw new UsageError(`${option} takes names with commas between them, not '${names}'.`)
  return list
}
