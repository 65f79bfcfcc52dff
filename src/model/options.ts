import { type Duration, formatDuration, parseDuration } from './duration.ts'
import { HoldfastError } from './errors.ts'
import { suggestion } from './name.ts'
import { show } from './show.ts'

/**
 * Checks of options, shared by everything that a user configures. All raise HF_CONFIG (HF_DURATION for what is no
 * duration at all), and say which option, which value, and what would do.
 */

/** The options, if they are an object without keys that nobody reads: a misspelt option must not be a silent default. */
export function checkKeys<T extends object>(options: T, known: readonly (keyof T & string)[], what: string): T {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new HoldfastError('HF_CONFIG', `${what} must be an object, not ${show(options)}`)
  }
  for (const key of Object.keys(options)) {
    if ((known as readonly string[]).includes(key)) continue
    throw new HoldfastError('HF_CONFIG', `${what} has no option ${show(key)}.${suggestion(key, known)}`)
  }
  return options
}

export function checkInteger(value: unknown, min: number, max: number, what: string): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  throw new HoldfastError('HF_CONFIG', `${what} must be a whole number from ${min} to ${max}, not ${show(value)}`)
}

export function checkNumber(value: unknown, min: number, max: number, what: string): number {
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw new HoldfastError('HF_CONFIG', `${what} must be a number from ${min} to ${max}, not ${show(value)}`)
}

export function checkChoice<T extends string>(value: unknown, choices: readonly T[], what: string): T {
  const choice = choices.find((each) => each === value)
  if (choice !== undefined) return choice
  const meant = typeof value === 'string' ? suggestion(value, choices) : ''
  throw new HoldfastError('HF_CONFIG', `${what} must be one of ${choices.join(', ')}, not ${show(value)}.${meant}`)
}

/** Milliseconds. */
export function checkDuration(value: Duration, min: number, max: number, what: string): number {
  const ms = parseDuration(value, what)
  if (ms >= min && ms <= max) return ms
  const range = `${formatDuration(min)} to ${formatDuration(max)}`
  throw new HoldfastError('HF_CONFIG', `${what} must be a duration from ${range}, not ${show(value)}`)
}
