import type { Duration } from './duration.ts'
import { parseWhen, type When } from './when.ts'

/**
 * What user code throws to steer its job. Recognised by a symbol and not by class, since an app may load this package
 * twice (two versions, ESM and a bundle): then `instanceof` would take a `Discard` for an ordinary failure and retry it.
 */
export type Control =
  | { readonly kind: 'discard' }
  | { readonly kind: 'retry-after'; readonly when: When }
  | { readonly kind: 'snooze'; readonly when: When }

const CONTROL = Symbol.for('holdfast.control')

export interface ControlOptions {
  /** The error behind it, kept with the failure. */
  readonly cause?: unknown
}

/** Throw it when the job can never succeed: it fails for good, without further retries. */
export class Discard extends Error {
  override readonly name = 'Discard'
  readonly [CONTROL]: Control = { kind: 'discard' }

  /** @param reason shown with the failed job. */
  constructor(reason: string, options?: ControlOptions) {
    super(reason, options)
  }
}

/**
 * Throw it to be retried at a moment of your choice, instead of after the policy's backoff: when an API says
 * `Retry-After`, for one. It is a failure and uses up a retry; `retry.on` is not asked.
 */
export class RetryAfter extends Error {
  override readonly name = 'RetryAfter'
  readonly [CONTROL]: Control

  /** @throws {HoldfastError} HF_DURATION, which then is the job's failure. */
  constructor(after: Duration | Date, options?: ControlOptions) {
    super(`Asked to be retried ${describe(after)}`, options)
    this[CONTROL] = { kind: 'retry-after', when: parseWhen(after, 'RetryAfter') }
  }
}

/**
 * Throw it when it is too early, and nothing is wrong: the job leaves its slot and comes back then. Not a failure, uses
 * up no retry; an iteration goes on at its last checkpoint.
 */
export class Snooze extends Error {
  override readonly name = 'Snooze'
  readonly [CONTROL]: Control

  /** @throws {HoldfastError} HF_DURATION, which then is the job's failure. */
  constructor(until: Duration | Date, options?: ControlOptions) {
    super(`Asked to come back ${describe(until)}`, options)
    this[CONTROL] = { kind: 'snooze', when: parseWhen(until, 'Snooze') }
  }
}

/** What a thrown value asks for, or `undefined` if it is an ordinary failure. Never throws. */
export function controlOf(thrown: unknown): Control | undefined {
  try {
    const control = (thrown as { [CONTROL]?: unknown } | null | undefined)?.[CONTROL]
    return isControl(control) ? control : undefined
  } catch {
    return undefined // a Proxy
  }
}

export function isDiscard(thrown: unknown): boolean {
  return controlOf(thrown)?.kind === 'discard'
}

export function isRetryAfter(thrown: unknown): boolean {
  return controlOf(thrown)?.kind === 'retry-after'
}

export function isSnooze(thrown: unknown): boolean {
  return controlOf(thrown)?.kind === 'snooze'
}

/** Another copy of the package may be another version: take only what this one understands. */
function isControl(value: unknown): value is Control {
  const { kind, when } = (value ?? {}) as { kind?: unknown; when?: unknown }
  if (kind === 'discard') return true
  return (kind === 'retry-after' || kind === 'snooze') && isWhen(when)
}

function isWhen(value: unknown): value is When {
  const { kind, ms, iso } = (value ?? {}) as { kind?: unknown; ms?: unknown; iso?: unknown }
  if (kind === 'delay') return typeof ms === 'number' && ms >= 0
  return kind === 'at' && typeof iso === 'string'
}

function describe(when: Duration | Date): string {
  return typeof when === 'string' ? `in ${when}` : 'at a given time'
}
