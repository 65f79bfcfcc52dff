import { HoldfastError } from '../../model/errors.ts'
import { show } from '../../model/show.ts'
import type { Source } from '../source.ts'

/** `what` names the option: `size of batches()`. `takes` reads on: `a whole number from 1 on`. */
export function refuseOption(what: string, takes: string, value: unknown): never {
  throw new HoldfastError('HF_CONFIG', `${what} must be ${takes}, not ${show(value)}`)
}

export function requireWhole(what: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  const from = least === Number.MIN_SAFE_INTEGER ? '' : ` from ${least}`
  const to = most === Number.MAX_SAFE_INTEGER ? ' on' : ` to ${most}`
  return refuseOption(what, `a whole number${from}${from === '' ? '' : to}`, value)
}

export function requireFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') refuseOption(what, 'a function', value)
}

/** Combinators take other people's sources, so they look before they call. */
export function requireSource(what: string, value: unknown): void {
  const source = value as Partial<Source<unknown>> | null | undefined
  if (typeof source?.name === 'string' && typeof source.open === 'function') return
  refuseOption(what, 'a source (an object with `name` and `open`)', value)
}

/** The options object itself, which JavaScript callers may leave out or misspell. */
export function requireOptions(what: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    refuseOption(`The options of ${what}`, 'an object', value)
  const unknown = Object.keys(value as object).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new HoldfastError('HF_CONFIG', `${what} has no option ${show(unknown)}; it takes ${known.join(', ')}`)
  }
  return value as Record<string, unknown>
}
