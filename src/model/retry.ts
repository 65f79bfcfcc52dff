import { type Duration, MAX_DURATION_MS, parseDuration } from './duration.ts'
import { HoldfastError } from './errors.ts'
import { checkChoice, checkDuration, checkInteger, checkKeys, checkNumber } from './options.ts'
import { show } from './show.ts'

// biome-ignore lint/suspicious/noExplicitAny: constructors of any signature
export type ErrorClass = abstract new (...args: any[]) => Error

/** Which errors are worth a retry. */
export type RetryOn = readonly ErrorClass[] | ((error: unknown) => boolean)

/** What a user may say about retries. `false`: the first failure is final. */
export interface RetryOptions {
  /** How often a job may run again after a failure, so that it fails at most `limit + 1` times. Default 10. */
  readonly limit?: number
  /** The wait before the first retry. Default '5s'. */
  readonly backoff?: Duration
  /** By how much each further wait is longer than the one before. Default 2. */
  readonly factor?: number
  /** The longest wait. Default '10m', or `backoff` if that is longer. */
  readonly max?: Duration
  /** `'full'` (default) draws each wait between zero and its computed length: jobs that failed together do not return together. */
  readonly jitter?: 'full' | 'none'
  /** Retry only these errors; anything else is final at once. Default: every error. */
  readonly on?: RetryOn
}

/** The same, checked and complete. */
export type RetryPolicy =
  | false
  | {
      readonly limit: number
      /** Milliseconds. */
      readonly backoff: number
      readonly factor: number
      /** Milliseconds. */
      readonly max: number
      readonly jitter: 'full' | 'none'
      readonly on: RetryOn | undefined
    }

/**
 * 5, 10, 20 … 320, 600, 600, 600 s: without jitter 41 minutes in all, with it 20 on average. Long enough to outlast the usual
 * outage of somebody else's service, short enough that a bug is in the list of failed jobs within the hour.
 */
export const DEFAULT_RETRY = {
  limit: 10,
  backoff: '5s',
  factor: 2,
  max: '10m',
  jitter: 'full',
} as const satisfies RetryOptions

/** Failures are counted in a smallint; and whoever needs more wants a schedule. */
const MAX_LIMIT = 1_000
const DEFAULT_MAX = parseDuration(DEFAULT_RETRY.max, 'max')
const KEYS = ['limit', 'backoff', 'factor', 'max', 'jitter', 'on'] as const

/**
 * The policy of a task. What `options` leaves out is taken from `defaults` (the app's), then from `DEFAULT_RETRY`.
 * @param what names the options in messages: `retry of task send-receipt`.
 * @throws {HoldfastError} HF_CONFIG, HF_DURATION.
 */
export function resolveRetry(
  options: RetryOptions | false | undefined,
  what: string,
  defaults: RetryOptions | false = {},
): RetryPolicy {
  const chosen = options === undefined ? defaults : options
  if (chosen === false) return false
  const own = checkKeys(chosen, KEYS, what)
  const given = { ...DEFAULT_RETRY, max: undefined, ...definedOnly(defaults), ...definedOnly(own) }

  const backoff = checkDuration(given.backoff, 0, MAX_DURATION_MS, `backoff in ${what}`)
  return Object.freeze({
    limit: checkInteger(given.limit, 0, MAX_LIMIT, `limit in ${what}`),
    backoff,
    factor: checkNumber(given.factor, 1, 100, `factor in ${what}`),
    max:
      given.max === undefined
        ? Math.max(backoff, DEFAULT_MAX)
        : checkDuration(given.max, backoff, MAX_DURATION_MS, `max in ${what}`),
    jitter: checkChoice(given.jitter, ['full', 'none'], `jitter in ${what}`),
    on: checkOn(given.on, what),
  })
}

/** `undefined` is the same as leaving an option out. */
function definedOnly(options: RetryOptions | false): RetryOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkOn(on: unknown, what: string): RetryOn | undefined {
  if (on === undefined) return undefined
  if (isErrorClass(on)) {
    throw new HoldfastError('HF_CONFIG', `on in ${what} is an error class: write it as a list, on: [${on.name}]`)
  }
  if (typeof on === 'function') return on as (error: unknown) => boolean
  if (Array.isArray(on) && on.every(isErrorClass)) return Object.freeze([...on])
  throw new HoldfastError('HF_CONFIG', `on in ${what} must be a list of error classes or a predicate, not ${show(on)}`)
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error)
}

/**
 * Milliseconds until the next run.
 * @param failures how often the job has failed, this time included: 1 at the first.
 * @param random gives numbers from 0 to 1, like `Math.random`.
 */
export function retryDelay(policy: Exclude<RetryPolicy, false>, failures: number, random: () => number): number {
  const { backoff, factor, max, jitter } = policy
  if (backoff === 0) return 0
  const longest = Math.round(Math.min(max, backoff * factor ** Math.max(0, failures - 1)))
  return jitter === 'none' ? longest : Math.min(longest, Math.floor(random() * (longest + 1)))
}

/** Whether an error is worth a retry, and if not, why: the reason ends up in the job's failure. */
export type RetryDecision =
  | { readonly retry: true }
  | { readonly retry: false; readonly why: 'no-retries' | 'limit' | 'not-listed' }
  /** The predicate threw, or answered with a promise. That counts as no; `error` must be reported. */
  | { readonly retry: false; readonly why: 'predicate-failed'; readonly error: unknown }

/** @param failures how often the job has failed, this time included. */
export function shouldRetry(policy: RetryPolicy, error: unknown, failures: number): RetryDecision {
  if (policy === false || policy.limit === 0) return { retry: false, why: 'no-retries' }
  if (failures > policy.limit) return { retry: false, why: 'limit' }
  try {
    return isListed(policy.on, error) ? { retry: true } : { retry: false, why: 'not-listed' }
  } catch (thrown) {
    return { retry: false, why: 'predicate-failed', error: thrown }
  }
}

function isListed(on: RetryOn | undefined, error: unknown): boolean {
  if (on === undefined) return true
  if (typeof on !== 'function') return on.some((each) => error instanceof each)
  const answer: unknown = on(error)
  if (typeof answer === 'boolean') return answer
  // A promise would always be truthy; its rejection must not become an unhandled one.
  if (answer instanceof Promise) answer.catch(() => {})
  throw new HoldfastError('HF_CONFIG', `retry.on must answer true or false at once, not ${show(answer)}`)
}
