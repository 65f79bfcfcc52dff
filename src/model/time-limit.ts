import { type Duration, MAX_DURATION_MS } from './duration.ts'
import { HoldfastError } from './errors.ts'
import { checkDuration, checkKeys } from './options.ts'

/**
 * How long one run may take. `soft`: the run's `signal` aborts, `onTimeout` is called, and the code may clean up; the run has failed,
 * however it ends. `hard`: the code stops, for certain: what does not end by itself is ended with its process.
 * A single duration is the soft one; the hard one follows a tenth later: at least a second, at most thirty.
 */
export type TimeLimit = Duration | { readonly soft: Duration; readonly hard: Duration }

/** The same in ms. */
export interface ResolvedLimit {
  readonly soft: number
  readonly hard: number
}

const LEAST_CLEAN_UP_MS = 1_000
const MOST_CLEAN_UP_MS = 30_000

/** ms that code has to clean up after it was told to stop, where nobody said. */
export function cleanUpTime(ms: number): number {
  return Math.round(Math.min(Math.max(ms / 10, LEAST_CLEAN_UP_MS), MOST_CLEAN_UP_MS))
}

/** A limit of which only the soft part is known. */
export function limitOf(soft: number): ResolvedLimit {
  return { soft, hard: soft + cleanUpTime(soft) }
}

/** @throws {HoldfastError} HF_CONFIG, HF_DURATION. */
export function resolveTimeLimit(limit: TimeLimit | undefined, what: string): ResolvedLimit | undefined {
  if (limit === undefined) return undefined
  if (typeof limit !== 'object') return limitOf(checkDuration(limit, 1, MAX_DURATION_MS, what))
  checkKeys(limit, ['soft', 'hard'], what)
  const soft = checkDuration(limit.soft, 1, MAX_DURATION_MS, `soft in ${what}`)
  const hard = checkDuration(limit.hard, 1, MAX_DURATION_MS, `hard in ${what}`)
  if (soft <= hard) return { soft, hard }
  throw new HoldfastError('HF_CONFIG', `soft in ${what} is ${limit.soft}, longer than hard, ${limit.hard}`)
}

/** The stricter of both, part by part. */
export function lowerLimit(
  one: ResolvedLimit | undefined,
  other: ResolvedLimit | undefined,
): ResolvedLimit | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const hard = Math.min(one.hard, other.hard)
  return { soft: Math.min(one.soft, other.soft, hard), hard }
}

/** What people mean by "its limit": the one duration that was written, else the end of it all. */
export function statedLimit({ soft, hard }: ResolvedLimit): number {
  return hard === limitOf(soft).hard ? soft : hard
}
