import { HoldfastError } from '../../model/errors.ts'
import { show } from '../../model/show.ts'
import type { Source } from '../source.ts'

/** `what` names the option: `delimiter of csv()`. `takes` reads on: `one character or false`. */
export function refuseOption(what: string, takes: string, value: unknown): never {
  throw new HoldfastError('HF_CONFIG', `${what} must be ${takes}, not ${show(value)}`)
}

export function requireFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') refuseOption(what, 'a function', value)
}

/** Combinators take other people's sources, so they look before they call. */
export function requireSource(
  what: string,
  value: unknown,
  takes = 'a source (an object with `name` and `open`)',
): void {
  const source = value as Partial<Source<unknown>> | null | undefined
  if (typeof source?.name === 'string' && typeof source.open === 'function') return
  refuseOption(what, takes, value)
}
